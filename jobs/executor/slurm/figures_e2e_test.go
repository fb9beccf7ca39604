//go:build e2e && linux

package slurm_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// timed is how long a plan takes on a cluster, or here without one.
func timed(b *testing.B, cluster *bench, plan string) time.Duration {
	b.Helper()
	at := jobstest.NewBench(b, plan)
	at.Tweak = func(r *jobs.Runner) {
		r.Parallel = 60
		if cluster != nil {
			e := executortest.Remote(b, cluster.Provider, at.Store)
			e.Resources = func(*runs.Attempt) executor.Resources { return executor.Resources{CPUs: 1} }
			r.Executor = e
		}
	}
	began := time.Now()
	res, err := at.Run()
	if err != nil || res.Code != 0 {
		b.Fatalf("%v, %+v", err, res)
	}
	return time.Since(began)
}

// BenchmarkOverhead is what a stage of one second costs there beyond what it costs here.
func BenchmarkOverhead(b *testing.B) {
	c := newBench(b, slurmtest.Start(b, slurmtest.Options{}))
	const plan = "name: one\nstages:\n  - {name: a, kind: slow, needs: [], with: {text: %q, times: 1, pace: 1s}}\n"
	timed(b, c, fmt.Sprintf(plan, "first")) // which copies the program
	here, there := time.Duration(0), time.Duration(0)
	n := 0
	for b.Loop() {
		here += timed(b, nil, fmt.Sprintf(plan, fmt.Sprint(n)))
		there += timed(b, c, fmt.Sprintf(plan, fmt.Sprint(n)))
		n++
	}
	b.ReportMetric((there-here).Seconds()/float64(n), "s-overhead")
}

// BenchmarkSixty is the part of the slots' time in which sixty stages of five seconds do
// their work on three nodes with two slots each.
func BenchmarkSixty(b *testing.B) {
	c := newBench(b, slurmtest.Start(b, slurmtest.Options{}))
	timed(b, c, "name: one\nstages:\n  - {name: a, kind: slow, needs: []}\n")
	var plan strings.Builder
	plan.WriteString("name: sixty\nstages:\n")
	for i := range 60 {
		fmt.Fprintf(&plan, "  - {name: s%d, kind: slow, needs: [], with: {text: t%d, times: 5, pace: 1s}}\n", i, i)
	}
	var took time.Duration
	n := 0
	for b.Loop() {
		took += timed(b, c, plan.String())
		n++
	}
	b.ReportMetric(100*60*5/6/(took.Seconds()/float64(n)), "%-of-slots")
}
