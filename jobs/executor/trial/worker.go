package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/probe"
)

// Limit is how long a trial may take there, from its start to its end; each check has a
// part of it.
const (
	Limit      = 5 * time.Minute
	checkLimit = 100 * time.Second
)

// Check finds out one thing more. It is given up when its time is over, also if it does not
// heed ctx.
type Check struct {
	What string
	Try  func(ctx context.Context) []Finding
}

// Worker tries the machine that it runs on.
type Worker struct {
	Nonce string
	// Open opens the store.
	Open func(ctx context.Context) (*storage.Store, error)
	// Folders are those that must have room: of the cache, and of files for a while.
	Folders []string
	// Secrets are the names of variables that must be set.
	Secrets []string
	Getenv  func(string) string
	Checks  []Check
	Now     func() time.Time // nil is this machine's clock
	Out     io.Writer        // takes a line for each finding

	kept bytes.Buffer
	hide *redact.Redactor
	bad  bool
}

// Work tries everything and returns the exit code: 0 or that of the environment.
func (w *Worker) Work(ctx context.Context) stages.Code {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	if w.Now == nil {
		w.Now = time.Now
	}
	var values []string
	for _, name := range w.Secrets {
		if v := w.Getenv(name); v != "" {
			values = append(values, v)
		}
	}
	w.hide, _ = redact.New(values...) // one that is too short to hide is no secret
	w.say(machine())
	w.say(w.secrets()...)
	w.say(w.try(ctx, Check{"disk", w.disk})...)
	var opened atomic.Pointer[storage.Store] // by a check that may be given up
	w.say(w.try(ctx, Check{"store", func(ctx context.Context) []Finding {
		store, out := w.store(ctx)
		opened.Store(store)
		return out
	}})...)
	for _, c := range w.Checks {
		w.say(w.try(ctx, c)...)
	}
	w.say(Finding{What: End, State: OK, Text: "all was tried"})
	if store := opened.Load(); store != nil {
		// What is not stored is read from the place's log.
		_ = store.WriteFile(ctx, Key(w.Nonce), w.kept.Bytes())
		_ = store.Close()
	}
	if w.bad {
		return stages.CodeEnvironment
	}
	return 0
}

// say prints findings, without the values of secrets.
func (w *Worker) say(all ...Finding) {
	for _, f := range all {
		f.Text, f.Fix, f.At = redact.URLs(w.hide.String(f.Text)), w.hide.String(f.Fix), w.Now()
		w.bad = w.bad || f.State == Bad
		line := f.line()
		w.kept.Write(line)
		_, _ = w.Out.Write(line) // a log that is full is no reason to stop
	}
}

// try makes a check within its time.
func (w *Worker) try(ctx context.Context, c Check) []Finding {
	limited, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() { done <- c.Try(limited) }()
	select {
	case out := <-done:
		return out
	case <-limited.Done():
	}
	select {
	case out := <-done: // it heeded its time, and says more
		return out
	case <-time.After(time.Second):
		return []Finding{{What: c.What, State: Bad, Text: fmt.Sprintf("no answer in %s", checkLimit), Fix: "log in there and see what it waits for"}}
	}
}

// secrets tells which variables are not set. Their values are looked at by nobody.
func (w *Worker) secrets() (out []Finding) {
	var there []string
	for _, name := range w.Secrets {
		if w.Getenv(name) == "" {
			out = append(out, Finding{What: "secret", State: Bad, Text: name + " is not set there", Fix: "`secrets` of the executor says how it gets there"})
			continue
		}
		there = append(there, name)
	}
	if len(there) > 0 {
		out = append(out, Finding{What: "secret", State: OK, Text: strings.Join(slices.Sorted(slices.Values(there)), ", ") + " set there"})
	}
	return out
}

// store opens the store, writes, reads and deletes an object in it, and compares its clock
// with this machine's. The store is nil if nothing can be left in it.
func (w *Worker) store(ctx context.Context) (*storage.Store, []Finding) {
	fail := func(err error) []Finding {
		fix := executor.Hint(err)
		if fix == "" || strings.Contains(fix, "doctor") {
			fix = "give workers credentials (`secrets` of the executor, or `credentials: own`), and see that this network lets them reach the store"
		}
		return []Finding{{What: "store", State: Bad, Text: "not reached from there: " + err.Error(), Fix: fix}}
	}
	s, err := w.Open(ctx)
	if err != nil {
		return nil, fail(err)
	}
	began := w.Now()
	if _, err := s.Stat(ctx, Wanted(w.Nonce)); err != nil {
		_ = s.Close()
		if errors.Is(err, storage.ErrNotFound) {
			return nil, []Finding{{What: "store", State: Bad, Text: "it is another than this machine's, or nobody waits for this answer", Fix: "let both name one bucket and prefix"}}
		}
		return nil, fail(err)
	}
	if err := probe.Quick(ctx, s.Bucket); err != nil {
		_ = s.Close()
		return nil, fail(err)
	}
	took := w.Now().Sub(began)
	out := []Finding{{What: "store", State: OK, Text: fmt.Sprintf("in %s an object was written, read and deleted", took.Round(time.Millisecond))}}
	key := Key(w.Nonce) + ".gone"
	err = s.WriteFile(ctx, key, nil)
	if err == nil {
		err = s.Sweep(ctx, key)
	}
	if err != nil { // stages never delete
		out[0].Text, _, _ = strings.Cut(out[0].Text, " and deleted")
		out = append(out, Finding{What: "store", State: Missing, Text: "it may not delete: " + err.Error(), Fix: "run `sprint gc` where the right to delete is"})
	}
	return s, append(out, w.clock(ctx, s)...)
}

// Skew beyond skewTold is told; beyond skewBad signatures of requests are refused soon.
const (
	skewTold = 10 * time.Second
	skewBad  = 5 * time.Minute
)

// clock compares this machine's clock with that of the store, which dates what is written.
func (w *Worker) clock(ctx context.Context, s *storage.Store) []Finding {
	key := Key(w.Nonce)
	before := w.Now()
	if err := s.WriteFile(ctx, key, []byte("clock")); err != nil {
		return nil // which the end of the trial shows
	}
	after := w.Now()
	info, err := s.Stat(ctx, key)
	if err != nil || info.ModTime.IsZero() {
		return nil
	}
	// Stores date by whole seconds.
	return []Finding{Clock(Span{before, after}, Span{info.ModTime.Add(-time.Second), info.ModTime.Add(time.Second)}, "the store's")}
}

// Span is a time that is known to lie between two, by one clock.
type Span struct{ From, To time.Time }

// Clock is the finding on a clock of which a time is known by another too, whose.
func Clock(there, other Span, whose string) Finding {
	off, word := max(there.From.Sub(other.To), 0), "ahead of"
	if behind := other.From.Sub(there.To); behind > 0 {
		off, word = behind, "behind"
	}
	f := Finding{What: "clock", State: OK, Text: "agrees with " + whose}
	if off > skewTold {
		f.Text = fmt.Sprintf("it is %s %s %s", off.Round(time.Second), word, whose)
		f.State, f.Fix = Missing, "let NTP run there: beyond some minutes stores refuse requests"
	}
	if off > skewBad {
		f.State = Bad
	}
	return f
}
