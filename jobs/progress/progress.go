// Package progress shows a run while it goes on, and what came of it:
//
//   - progress.go: how a view is chosen, and the one of JSON lines; plain.go, tty.go
//     and github.go: one each
//   - event.go: the line of an event
//   - summary.go: what came of a run, and what to type next
//   - junit.go: the same for CI servers
//   - sanitize/: what keeps foreign text from steering a terminal or a CI log
package progress

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// View shows a run while it goes on and what came of it.
type View interface {
	jobs.Observer
	// Finish shows the result; Close ends without one. A view takes one of them,
	// once.
	Finish(ctx context.Context, r *runs.Result)
	Close()
}

// Options say where a run is shown, and how much of it.
type Options struct {
	// Out takes the summary and the lines for machines, Err all else.
	Out, Err *sanitize.Writer
	// Getenv looks up GITHUB_ACTIONS, GITHUB_STEP_SUMMARY, TERM and NO_COLOR.
	Getenv         func(string) string
	Verbose, Quiet bool
	// Full shows tables as wide as they are. KeepGoing says that a failure does not end
	// the run: what is wrong is said at once then, else with the result.
	Full, KeepGoing bool
	Log             *slog.Logger
	Store           *storage.Store
	Graph           *graph.Graph
	// Parallel is how many stages may run at once.
	Parallel int
	// StoreFlag is what --store must say in what is typed next; empty if the store is
	// found without it.
	StoreFlag string
}

// New is the view of an output mode: json, github, tty or plain; auto chooses by
// where the output goes. The caller ends it by Finish or Close.
func New(mode string, o Options) View {
	if mode == "auto" {
		mode = "plain"
		if o.Getenv("GITHUB_ACTIONS") == "true" {
			mode = "github"
		} else if sanitize.Terminal(o.Err.Out) != nil && o.Getenv("TERM") != "dumb" {
			mode = "tty"
		}
	}
	switch mode {
	case "json":
		return &jsonView{out: json.NewEncoder(o.Out)}
	case "github":
		return newGithub(o)
	case "tty":
		return newTTY(o)
	}
	return newPlain(o)
}

// jsonView writes every event as a line; the last line is the result.
type jsonView struct{ out *json.Encoder }

func (v *jsonView) Observe(e runs.Event) {
	if e.Type != runs.EventResult {
		_ = v.out.Encode(e)
	}
}

func (v *jsonView) Finish(_ context.Context, r *runs.Result) { _ = v.out.Encode(r) }
func (v *jsonView) Close()                                   {}

// every calls do at a pace, in a goroutine of its own, until stop: then it has ended.
func every(pace time.Duration, do func()) (stop func()) {
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				do()
			}
		}
	})
	return func() {
		close(end)
		done.Wait()
	}
}
