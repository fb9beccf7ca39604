package executor

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Message is a line of a worker's standard output. Its type says which fields it
// has: progress its own, a note Name and Value, a log Level and Text, and the end
// the others; the end of a preflight has that word as its Name.
type Message struct {
	Type     string           `json:"type"` // progress, note, log, end
	Progress *stages.Progress `json:"progress,omitempty"`
	Name     string           `json:"name,omitempty"`
	Value    any              `json:"value,omitempty"`
	Level    slog.Level       `json:"level,omitempty"`
	Text     string           `json:"text,omitempty"`
	Hint     string           `json:"hint,omitempty"`
	Code     stages.Code      `json:"code,omitempty"`
	State    runs.State       `json:"state,omitempty"`
	Cause    Cause            `json:"cause,omitempty"`
	Saved    bool             `json:"saved,omitempty"`
}

// Relay passes a worker's messages on and returns its last word.
func Relay(r io.Reader, sink Sink) *Message {
	var final *Message
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var m Message
			if json.Unmarshal(line, &m) != nil {
				m = Message{Type: "log", Level: slog.LevelInfo, Text: strings.TrimSpace(string(line))}
			}
			switch m.Type {
			case "progress":
				if m.Progress != nil {
					sink.Progress(*m.Progress)
				}
			case "note":
				sink.Note(m.Name, m.Value)
			case "log":
				sink.Log(m.Level, m.Text)
			case "end":
				final = &m
			}
		}
		if err != nil {
			return final
		}
	}
}

// Outcome is how the attempt ended whose worker's last word this is. Of one that
// succeeded or failed the store decides: its manifest may be there.
func (m *Message) Outcome(ctx context.Context, store *storage.Store, a *runs.Attempt) Outcome {
	if m.State == runs.Succeeded || m.State == runs.Failed {
		made, err := store.Manifest(context.WithoutCancel(ctx), a.Kind, a.Key)
		switch {
		case err == nil && made.Generation >= a.Generation:
			return FromManifest(&made)
		case m.State == runs.Succeeded && m.Name == "preflight":
			return Outcome{State: runs.Succeeded}
		case m.State == runs.Succeeded:
			return FromError(fmt.Errorf("the worker of stage %s says that it is done, but: %w", a.Stage, err))
		}
	}
	o := Outcome{State: m.State, Checkpointed: m.Saved, Cause: m.Cause}
	o.Err = &stages.Failure{Code: m.Code, Lost: m.State == runs.Lost, Hint: m.Hint, Err: errors.New(m.Text)}
	switch {
	case m.State == runs.Interrupted:
		o.Err = interruption(m.Text)
	case m.Code == stages.CodeDeadline: // a worker knows no other
		o.Err = &stages.Failure{Code: m.Code, Hint: m.Hint, Err: moneyUp(m.Text)}
	}
	return o
}

// moneyUp is a stages.ErrMoney in the words of the worker.
type moneyUp string

func (m moneyUp) Error() string        { return string(m) }
func (m moneyUp) Is(target error) bool { return target == stages.ErrMoney } //nolint:errorlint // it is the sentinel itself

// interruption is a stages.ErrInterrupted in the words of the worker.
type interruption string

func (i interruption) Error() string        { return string(i) }
func (i interruption) Is(target error) bool { return target == stages.ErrInterrupted } //nolint:errorlint // it is the sentinel itself

// reporter is the sink of a worker: the runner reads the other end.
type reporter struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (r *reporter) send(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.out.Encode(m) // a runner that is gone ends this process by other means
}

func (r *reporter) Progress(p stages.Progress) { r.send(Message{Type: "progress", Progress: &p}) }

func (r *reporter) Note(name string, value any) {
	r.send(Message{Type: "note", Name: name, Value: value})
}

func (r *reporter) Log(level slog.Level, text string) {
	r.send(Message{Type: "log", Level: level, Text: text})
}

// end reports the outcome and returns the exit code.
func (r *reporter) end(o Outcome, name string) stages.Code {
	m := Message{Type: "end", Name: name, State: o.State, Cause: o.Cause, Saved: o.Checkpointed}
	if o.Err != nil {
		m.Text, m.Hint, m.Code = o.Err.Error(), Hint(o.Err), Code(o.Err)
	}
	if o.State == runs.Interrupted || errors.Is(o.Err, stages.ErrInterrupted) {
		m.Code = stages.CodeInterrupted
	}
	r.send(m)
	return m.Code
}

// WorkerOptions name the attempt that a worker process does.
type WorkerOptions struct {
	Run, Stage string
	Attempt    int
	// Digest is what the runner stored as the attempt's record: whoever else may
	// write to the store must not choose what this process runs.
	Digest    string
	Preflight bool // only try the demands
	// Program is the path of the sprint binary.
	Program string
	// CacheDir is the cache of a machine that is not the runner's; empty is the
	// attempt's own.
	CacheDir string
	// Left is that of InProcess; nil counts from here.
	Left func(a *runs.Attempt) (left time.Duration, limited bool)
	// Beside looks on while the attempt is executed, until its ctx ends; nil does not.
	Beside func(ctx context.Context, a *runs.Attempt, sink Sink)
}

// Work does one attempt as a worker process: it reads its task from the store,
// refuses one that is not its runner's, writes only through the store, and
// reports to out, a line of JSON each. It returns the process's exit code.
func Work(ctx context.Context, store *storage.Store, registry stages.Registry, o WorkerOptions, secret func(string) (string, error), out io.Writer) stages.Code {
	w := &reporter{out: json.NewEncoder(out)}
	a, err := runs.LoadExactAttempt(ctx, store, o.Run, o.Stage, o.Attempt, o.Digest)
	if err != nil {
		return w.end(FromError(err), "")
	}
	a.CacheDir = cmp.Or(o.CacheDir, a.CacheDir)
	p := &InProcess{Registry: registry, Store: store, Secret: secret, Program: o.Program, Left: o.Left}
	if o.Preflight {
		if err := p.Preflight(ctx, a, w); err != nil {
			return w.end(FromError(err), "preflight")
		}
		return w.end(Outcome{State: runs.Succeeded}, "preflight")
	}
	return w.end(executeBeside(ctx, p, a, w, o.Beside), "")
}

// executeBeside executes an attempt while beside looks on, which ends before it returns.
func executeBeside(ctx context.Context, p *InProcess, a *runs.Attempt, sink Sink, beside func(context.Context, *runs.Attempt, Sink)) Outcome {
	if beside == nil {
		return p.Execute(ctx, a, sink)
	}
	looking, stop := context.WithCancel(ctx)
	var looks sync.WaitGroup
	looks.Go(func() { beside(looking, a, sink) })
	defer func() {
		stop()
		looks.Wait()
	}()
	return p.Execute(ctx, a, sink)
}
