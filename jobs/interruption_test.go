package jobs_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// taker is a place that takes the machine of stage make away, so many times, and ends it
// another way after that, if it is told so.
type taker struct {
	executor.Executor
	mu       sync.Mutex
	times    int
	after    error
	onDemand []bool // of each attempt of make
}

func (p *taker) Execute(ctx context.Context, a *runs.Attempt, sink executor.Sink) executor.Outcome {
	if a.Stage != "make" {
		return p.Executor.Execute(ctx, a, sink)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onDemand = append(p.onDemand, a.OnDemand)
	if len(p.onDemand) <= p.times {
		return executor.Outcome{State: runs.Lost, Cause: executor.CauseInterruption, Err: stages.Lose(stages.CodeStage, "", "the machine was taken away")}
	}
	if p.after != nil {
		return executor.FromError(p.after)
	}
	return p.Executor.Execute(ctx, a, sink)
}

// TestInterruptionsAreNoFailures: machines that were taken away cost tries of their own, are
// counted in the record, and lead to a machine that stays where the plan says so.
func TestInterruptionsAreNoFailures(t *testing.T) {
	lost := stages.Lose(stages.CodeMemory, "", "killed")
	for name, c := range map[string]struct {
		stage    string // beside its name
		times    int
		after    error
		states   string
		code     stages.Code
		attempts string // d: on demand, p: not
		counted  int
	}{
		"silent plan":        {"", 4, nil, "succeeded", 0, "ppppp", 4},
		"on demand":          {"resources: {preemptible: true}, with: {keep: true}", 4, nil, "succeeded", 0, "ppddd", 4},
		"after the first":    {"resources: {preemptible: true, on_demand_after: 1}, with: {keep: true}", 2, nil, "succeeded", 0, "pdd", 2},
		"never on demand":    {"resources: {preemptible: true, on_demand_after: 0}, with: {keep: true}", 3, nil, "succeeded", 0, "pppp", 3},
		"budget spent":       {"retry: {interruptions: 2}", 9, nil, "lost", 1, "ppp", 3},
		"none of its own":    {"retry: 0", 9, nil, "lost", 1, "p", 1},
		"not of machines":    {"retry: {machine: 0, network: 0, store: 0}", 3, nil, "succeeded", 0, "pppp", 3},
		"machines not of it": {"retry: {machine: 1, interruptions: 9}", 2, lost, "lost", 8, "pppp", 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := jobstest.NewBench(t, "name: taken\nstages:\n  - {"+strings.TrimSuffix("name: make, "+c.stage, ", ")+"}\n")
			place := &taker{times: c.times, after: c.after}
			b.Tweak = func(r *jobs.Runner) {
				place.Executor = r.Executor
				r.Executor = place
			}
			res := b.MustRun(c.code, c.states)
			attempts := ""
			for _, demand := range place.onDemand {
				attempts += map[bool]string{true: "d", false: "p"}[demand]
			}
			if attempts != c.attempts || res.Stages[0].Interruptions != c.counted {
				t.Errorf("attempts %s, %d interruptions counted; want %s and %d", attempts, res.Stages[0].Interruptions, c.attempts, c.counted)
			}
			events := 0
			for _, e := range b.Seen.Events {
				if e.Cause == string(executor.CauseInterruption) {
					events++
				}
			}
			if want := min(c.counted, len(c.attempts)-1); events != want {
				t.Errorf("%d events name the cause, want %d", events, want)
			}
		})
	}
}
