package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Worker does one attempt on a machine where nobody listens to it: what it says goes
// to the store.
type Worker struct {
	Store    *storage.Store
	Registry stages.Registry
	Secret   func(ref string) (string, error)
	// Stderr takes log lines, for the place's own log.
	Stderr io.Writer
	Log    *slog.Logger
	// Orphan is how long it goes on when no runner renews the lease of its job; 0
	// means DefaultOrphan.
	Orphan time.Duration
	// TTL of its own lease; 0 means runs.LeaseTTL.
	TTL time.Duration
	// Beside looks on while the attempt is executed, until its ctx ends; nil does not.
	Beside func(ctx context.Context, a *runs.Attempt, sink executor.Sink)
}

// DefaultOrphan is long enough to start a runner again, and short where a machine
// costs money.
const DefaultOrphan = 10 * time.Minute

// storeBudget is how long a worker waits for a store that is gone, before it has begun and
// once it has ended.
const storeBudget = 2 * time.Minute

// errOrphan ends a worker that nobody waits for.
var errOrphan = errors.New("stopped: no runner has renewed the lease of this job")

// Work does the attempt and returns the process's exit code. Of two workers of one
// attempt, which a place may start, the second waits for the first, and does the work
// only if that one is gone without a last word.
func (w *Worker) Work(ctx context.Context, o executor.WorkerOptions) stages.Code {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lease, code, err := w.begin(ctx, o)
	for wait, began := time.Second, time.Now(); errors.Is(err, storage.ErrTransient) && time.Since(began) < storeBudget; wait = min(2*wait, 30*time.Second) {
		w.Log.Warn("the store cannot be read now", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		lease, code, err = w.begin(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(w.Stderr, "sprint worker:", err)
		return executor.Code(err)
	}
	if lease == nil {
		return code
	}
	defer func() {
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			w.Log.Warn("could not release the worker's lease", "error", err)
		}
	}()
	lasting := context.WithoutCancel(ctx)
	messages, err := runs.OpenMessages(lasting, w.Store, w.Log, o.Run, o.Stage, o.Attempt, droppedMessage)
	if err != nil {
		fmt.Fprintln(w.Stderr, "sprint worker:", err)
		return executor.Code(err)
	}
	var watching sync.WaitGroup
	watching.Go(func() { w.watchOrphan(ctx, o, cancel) })
	out := &tee{messages: messages, stderr: w.Stderr}
	o.Left = (&allowance{store: w.Store, every: max(cmp.Or(w.TTL, runs.LeaseTTL)/4, 10*time.Millisecond)}).left
	o.Beside = w.Beside
	code = executor.Work(ctx, w.Store, w.Registry, o, w.Secret, out)
	cancel(nil)
	watching.Wait()
	messages.Close()
	return w.end(lasting, o, out.end, code)
}

// begin waits until no other worker of the attempt is at work. Without a lease the
// attempt has ended, with that code.
func (w *Worker) begin(ctx context.Context, o executor.WorkerOptions) (*storage.Lease, stages.Code, error) {
	code, ended, err := w.ended(ctx, o)
	if ended || err != nil {
		return nil, code, err
	}
	lease, err := w.Store.Await(ctx, workerLease(o), storage.Self(), cmp.Or(w.TTL, runs.LeaseTTL), func(*storage.HeldError, bool) error {
		var err error
		if code, ended, err = w.ended(ctx, o); ended {
			return errEnded
		}
		return err
	})
	if err == nil { // who had it may have said its last word since the last look
		if code, ended, err = w.ended(ctx, o); ended || err != nil {
			_ = lease.Release(context.WithoutCancel(ctx))
		}
	}
	switch {
	case ended:
		return nil, code, nil
	case err != nil && ctx.Err() != nil:
		return nil, 0, fmt.Errorf("%w: %w", stages.ErrInterrupted, err)
	case err != nil:
		return nil, 0, err
	}
	return lease, 0, nil
}

// errEnded ends the wait for the lease of an attempt that another worker has ended.
var errEnded = errors.New("a worker of this attempt has ended it")

// ended reports whether a worker of the attempt has said its last word, and the code in it.
func (w *Worker) ended(ctx context.Context, o executor.WorkerOptions) (code stages.Code, ended bool, err error) {
	word, err := runs.LoadEnd(ctx, w.Store, o.Run, o.Stage, o.Attempt)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	var m executor.Message
	if err := json.Unmarshal(word, &m); err != nil {
		return 0, false, stages.Fail(stages.CodeIntegrity, "", "the last word of this attempt's worker cannot be read: %w", err)
	}
	return m.Code, true, nil
}

// watchOrphan ends the work when nobody waits for it. It counts by its own clock, and
// only the time in which the store answers: a store that is gone says nothing of the
// runner. One that is gone for three times that long is no use to the work either.
func (w *Worker) watchOrphan(ctx context.Context, o executor.WorkerOptions, stop context.CancelCauseFunc) {
	orphan := cmp.Or(w.Orphan, DefaultOrphan)
	every := max(min(orphan, cmp.Or(w.TTL, runs.LeaseTTL))/4, 10*time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	seen, quiet, silent := "", time.Duration(0), time.Duration(0)
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		passed := time.Since(last)
		last = time.Now()
		at, err := w.Store.Lease(ctx, jobLease(executor.JobID(o.Run, o.Stage, o.Attempt, o.Digest)))
		switch {
		case err != nil && !errors.Is(err, storage.ErrNotFound):
			silent += passed
		case err == nil && at.Version != seen && !at.Released:
			seen, quiet, silent = at.Version, 0, 0
		default: // released, never taken, or not renewed
			quiet += passed
			silent = 0
		}
		released := err == nil && at.Released
		if quiet > orphan || silent > 3*orphan || released && quiet > 3*every {
			w.Log.Warn("ending: nobody waits for this job", "quiet", quiet, "store_gone", silent)
			stop(errOrphan)
			return
		}
	}
}

// end records the last word. One that was interrupted has none: started again, it
// goes on.
func (w *Worker) end(ctx context.Context, o executor.WorkerOptions, word []byte, code stages.Code) stages.Code {
	if word == nil || code == stages.CodeInterrupted {
		return code
	}
	for wait, began := time.Second, time.Now(); ; wait = min(2*wait, 30*time.Second) {
		err := runs.SaveEnd(ctx, w.Store, o.Run, o.Stage, o.Attempt, word)
		if err == nil || errors.Is(err, storage.ErrExists) {
			return code
		}
		if !errors.Is(err, storage.ErrTransient) || time.Since(began) > storeBudget {
			w.Log.Warn("could not store the last word", "error", err)
			return code
		}
		time.Sleep(wait)
	}
}

// jobLease is that of the runner which waits for a job, workerLease that of the
// process which does it.
func jobLease(id string) string { return "jobs/" + id }

func workerLease(o executor.WorkerOptions) string {
	return "workers/" + executor.JobID(o.Run, o.Stage, o.Attempt, o.Digest)
}

func droppedMessage(n int) []byte {
	line, _ := json.Marshal(executor.Message{Type: "log", Level: slog.LevelWarn, Text: fmt.Sprintf("%d messages are missing here: the store could not be reached, or they came too fast", n)})
	return line
}

// tee stores a worker's messages, and keeps the last word. It is for one goroutine at
// a time, as executor.Work writes.
type tee struct {
	messages *runs.Messages
	stderr   io.Writer
	end      []byte
}

// Write takes one message with its end of line.
func (t *tee) Write(line []byte) (int, error) {
	text := bytes.TrimSuffix(line, []byte("\n"))
	t.messages.Write(text)
	var m executor.Message
	switch {
	case bytes.HasPrefix(text, []byte(`{"type":"end"`)):
		t.end = bytes.Clone(text)
	case bytes.HasPrefix(text, []byte(`{"type":"log"`)) && json.Unmarshal(text, &m) == nil:
		fmt.Fprintln(t.stderr, runs.LevelName(m.Level), m.Text)
	}
	return len(line), nil
}
