//go:build e2e && cluster && linux

package kubernetes_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor/kubernetes/kubernetestest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
)

// timed is how long a plan takes on a cluster, or here without one.
func timed(b *testing.B, c *kubernetestest.Cluster, plan string) time.Duration {
	b.Helper()
	at := jobstest.NewBench(b, plan)
	at.Tweak = func(r *jobs.Runner) { r.Parallel = 60 }
	if c != nil {
		at.Store = openStore(b)
		e := elsewhere(b, c, at.Store)
		at.Tweak = func(r *jobs.Runner) { r.Parallel, r.Executor = 60, e }
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
	c := startCluster(b, 1)
	const plan = "name: one\nstages:\n  - {name: a, kind: slow, needs: [], with: {text: %q, times: 1, pace: 1s}}\n"
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
	c := startCluster(b, 2)
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
