// Package jobs is the runner: it runs the nodes of a graph in the order of their
// needs, each under the lease of its key, tries again what was lost, and tells an
// observer and the store what happens. One run, read in order:
//
//	runner.go    what a run is made of, and its life from beginning to end
//	schedule.go  which nodes are asked for, and which runs when
//	attempt.go   what an attempt is; preflight, and one attempt of a node
//	lease.go     who does the work of a key, and what happens if the lease is lost;
//	             the run is seen as live, says what it reads, and can be cancelled
//	retry.go     whether a node is tried again
//	spending.go  what it costs: reserved before a try, counted after it
//	foresee.go   how long nodes will take, for whoever watches
//	record.go    the events of a run, what is stored of it, and its result
//
// The folders below are what the runner is made of, each using only those before:
//
//	key         what makes two pieces of work equal
//	graph       a plan, compiled
//	runs        what a store knows of a run
//	evaluate    what is done already, what would run, and why
//	estimate    how long that will take
//	executor    how an attempt is carried out, here or elsewhere
//
// and what is made from its records: provenance (where an artifact comes from),
// integrity (what is missing or damaged), gc (what nobody needs any more), report. The command is in sprint.
package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/estimate"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/probe"
)

// Runner runs graphs: it decides what runs when, retries what was lost, and
// reports every change of state.
type Runner struct {
	Store    *storage.Store
	Executor executor.Executor
	Observer Observer
	Log      *slog.Logger

	Parallel  int  // nodes that run at once; less than 1 means 1
	KeepGoing bool // after a failure, run what does not need the failed node
	Select    Selection
	Deadline  time.Duration     // of the whole run, from its beginning; 0 means none
	MaxCost   money.Price       // of the whole run; the zero value is none
	CacheDir  string            // of encoders and plugins
	Offline   bool              // the network is forbidden
	Endpoints map[string]string // addresses by the name that plans use
	Version   string            // of sprint, for the record
	// Command is the command line of this run, for the record.
	Command string
	// Continue returns the command line that does what these stages leave; nil is none.
	Continue func([]runs.StageResult) string
	// Args are the words of Command after the program, for `sprint retry`.
	Args []string
	// TTL of leases; 0 means runs.LeaseTTL.
	TTL time.Duration
	// Backoff is the wait before the first retry; 0 means what the stage says.
	Backoff time.Duration
	// NoWait ends with code 7 instead of waiting for a live run that does the
	// same work.
	NoWait bool
}

// run is one run of a graph.
type run struct {
	*Runner
	id       string
	g        *graph.Graph
	selected map[string]bool
	forced   map[string]bool
	started  time.Time
	// doneBefore holds the keys of the nodes that were done when the run began.
	doneBefore map[string]string
	estimates  map[string]estimate.Stage // of the nodes that were to run when it began
	spending   spending

	mu        sync.Mutex // of all below
	journal   *runs.Journal
	results   map[string]*runs.StageResult
	decisions map[string]*evaluate.Decision
	errs      map[string]error
	keptWork  bool // something of this run will not have to be done again
}

// Observer is told every event of a run, in order, from one goroutine at a time.
type Observer interface{ Observe(runs.Event) }

// Run brings the selected nodes up to date. The error is set only if no run
// began; all else is in the result.
func (o *Runner) Run(ctx context.Context, g *graph.Graph) (*runs.Result, error) {
	o.TTL = cmp.Or(o.TTL, runs.LeaseTTL)
	r := &run{
		Runner: o, g: g, started: time.Now().UTC(), doneBefore: map[string]string{},
		results: map[string]*runs.StageResult{}, decisions: map[string]*evaluate.Decision{}, errs: map[string]error{},
	}
	r.id = runs.NewID(r.started)
	if err := r.selectNodes(); err != nil {
		return nil, err
	}
	if r.Deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, r.started.Add(r.Deadline), executor.ErrDeadline)
		defer cancel()
	}
	result, err := r.bringUp(ctx)
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), executor.ErrDeadline) {
		// What a store returns does not say whose deadline it was.
		err = fmt.Errorf("before the run began: %w", executor.ErrDeadline)
	}
	return result, err
}

// bringUp is Run of a run that knows what is asked for.
func (r *run) bringUp(ctx context.Context) (*runs.Result, error) {
	g := r.g
	evaluator := evaluate.Evaluator{Store: r.Store, Force: r.forced}
	evaluation, err := evaluator.Evaluate(ctx, g)
	if err != nil {
		return nil, err
	}
	for _, node := range g.Nodes {
		r.results[node.Name] = &runs.StageResult{Name: node.Name, Kind: node.Kind.Name, State: runs.Pending}
	}
	if !slices.ContainsFunc(evaluation.Work(), func(name string) bool { return r.selected[name] }) {
		r.emit(runs.Event{Type: runs.EventRun, Stages: g.Names()})
		for _, node := range g.Nodes {
			r.takeOver(node, evaluation.Decisions[node.Name])
		}
		return r.finish(ctx), nil
	}
	foreseen := r.foresee(ctx, evaluation)
	defer foreseen() // nothing reads the store after the run
	if err := r.reckon(ctx, evaluation, foreseen); err != nil {
		return nil, err
	}
	if err := probe.Quick(ctx, r.Store.Bucket); err != nil {
		return nil, err
	}
	if err := r.Store.Reserve(); err != nil { // it is gc that misses it, on a full disk
		r.Log.Debug("no space could be reserved for a gc of a full disk", "error", err)
	}
	ctx, leave, err := r.announce(ctx, evaluation)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := r.openRecords(ctx); err != nil {
		return nil, err
	}
	r.emit(runs.Event{Type: runs.EventRun, Stages: g.Names(), Estimates: foreseen()})
	if err := r.preflight(ctx, evaluation); err == nil {
		r.schedule(ctx, evaluator)
	}
	return r.finish(ctx), nil
}
