package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// WorkerOptions name the attempt that a worker process does.
type WorkerOptions struct {
	Run, Stage string
	Attempt    int
	// Digest is what the runner stored as the attempt's record: whoever else may
	// write to the store must not choose what this process runs.
	Digest    string
	Preflight bool // only try the demands
}

// Work does one attempt as a worker process: it reads its task from the store,
// refuses one that is not its runner's, writes only through the store, and
// reports to out, a line of JSON each. It returns the process's exit code.
func Work(ctx context.Context, store *storage.Store, registry stages.Registry, o WorkerOptions, secret func(string) (string, error), out io.Writer) stages.Code {
	w := &reporter{out: json.NewEncoder(out)}
	a, err := runs.LoadExactAttempt(ctx, store, o.Run, o.Stage, o.Attempt, o.Digest)
	if err != nil {
		return w.end(failed(err), "")
	}
	p := &performer{registry: registry, store: store, secret: secret}
	if o.Preflight {
		if err := p.preflight(ctx, a, w); err != nil {
			return w.end(failed(err), "preflight")
		}
		return w.end(Outcome{State: runs.Succeeded}, "preflight")
	}
	return w.end(p.perform(ctx, a, w), "")
}

// reporter is the sink of a worker: the runner reads the other end.
type reporter struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (r *reporter) send(m message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.out.Encode(m) // a runner that is gone ends this process by other means
}

func (r *reporter) Progress(p stages.Progress) { r.send(message{Type: "progress", Progress: &p}) }

func (r *reporter) Note(name string, value any) {
	r.send(message{Type: "note", Name: name, Value: value})
}

func (r *reporter) Log(level slog.Level, text string) {
	r.send(message{Type: "log", Level: level, Text: text})
}

// end reports the outcome and returns the exit code.
func (r *reporter) end(o Outcome, name string) stages.Code {
	m := message{Type: "end", Name: name, State: o.State, Cause: o.Cause, Saved: o.Checkpointed}
	if o.Err != nil {
		m.Text, m.Hint, m.Code = o.Err.Error(), Hint(o.Err), Code(o.Err)
	}
	if o.State == runs.Interrupted || errors.Is(o.Err, stages.ErrInterrupted) {
		m.Code = stages.CodeInterrupted
	}
	r.send(m)
	return m.Code
}
