package executor

import (
	"context"
	"encoding/json"
	"io"

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
		return w.end(FromError(err), "")
	}
	p := &InProcess{Registry: registry, Store: store, Secret: secret}
	if o.Preflight {
		if err := p.Preflight(ctx, a, w); err != nil {
			return w.end(FromError(err), "preflight")
		}
		return w.end(Outcome{State: runs.Succeeded}, "preflight")
	}
	return w.end(p.Execute(ctx, a, w), "")
}
