package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/probe"
)

// Runner walks a graph: it decides what runs when, retries what was lost, and
// reports every change of state.
type Runner struct {
	Store    *storage.Store
	Executor executor.Executor
	Observer Observer
	Log      *slog.Logger

	Parallel  int
	KeepGoing bool
	Select    Selection
	Deadline  time.Duration
	CacheDir  string
	Offline   bool
	Endpoints map[string]string // addresses by the name that plans use
	Version   string
	// Command is the command line of this run, for the record; Continue the
	// one that does what is left.
	Command, Continue string
	// Args are the words of Command after the program, for `sprint retry`.
	Args []string
	// TTL of leases; 0 means 20 s.
	TTL time.Duration
	// Backoff is the wait before the first retry; 0 means what the stage says.
	Backoff time.Duration
	// NoWait ends with code 7 instead of waiting for a live run that does the
	// same work.
	NoWait bool
}

// run is one evaluation of a graph.
type run struct {
	*Runner
	id       string
	g        *graph.Graph
	selected map[string]bool
	force    map[string]bool
	started  time.Time
	journal  *runs.Journal

	mu      sync.Mutex
	results map[string]*runs.StageResult
	known   map[string]*evaluate.Decision
	errs    map[string]error
	seen    map[string]string // keys of the tasks that were done when the run began
	kept    bool              // something of this run will not have to be done again
}

// Run brings the selected tasks up to date. The error is set only if no run
// began; all else is in the result.
func (r *Runner) Run(ctx context.Context, g *graph.Graph) (*runs.Result, error) {
	u := &run{Runner: r, g: g, started: time.Now().UTC(), results: map[string]*runs.StageResult{}, known: map[string]*evaluate.Decision{}, errs: map[string]error{}, seen: map[string]string{}}
	if r.TTL == 0 {
		r.TTL = runs.LeaseTTL
	}
	if err := u.choose(); err != nil {
		return nil, err
	}
	u.id = runs.NewID(u.started)
	if r.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, u.started.Add(r.Deadline), executor.ErrDeadline)
		defer cancel()
	}
	evaluator := evaluate.Evaluator{Store: r.Store, Force: u.force}
	evaluation, err := evaluator.Evaluate(ctx, g)
	if err != nil {
		return nil, err
	}
	for _, t := range g.Nodes {
		u.results[t.Name] = &runs.StageResult{Name: t.Name, Kind: t.Kind.Name, State: runs.Pending}
	}
	if !u.work(evaluation) {
		u.emit(runs.Event{Type: runs.EventRun, Stages: g.Names()})
		for _, t := range g.Nodes {
			u.settle(t, evaluation.Decisions[t.Name])
		}
		return u.finish(ctx), nil
	}
	if err := probe.Quick(ctx, r.Store.Bucket); err != nil {
		return nil, err
	}
	ctx, leave, err := u.attend(ctx, evaluation)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := u.begin(ctx); err != nil {
		return nil, err
	}
	u.emit(runs.Event{Type: runs.EventRun, Stages: g.Names()})
	if err := u.preflight(ctx, evaluation); err == nil {
		u.walk(ctx, evaluator)
	}
	return u.finish(ctx), nil
}

// Observer is told every event of a run, in order, from one goroutine at a time.
type Observer interface{ Observe(runs.Event) }
