package executortest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

// Place is one whose figures are taken.
type Place struct {
	New   func(b *testing.B, store *storage.Store) executor.Executor
	Store func(b *testing.B) *storage.Store // an empty one that it reaches; nil is one in a folder
	Slots int                               // jobs that run there at once
}

// Overhead is what a stage of one second costs there beyond what it costs here, the median.
func Overhead(b *testing.B, p Place) {
	p.copyProgram(b)
	var over []float64
	for n := 0; b.Loop(); n++ {
		plan := sameStages(fmt.Sprint("run", n), 1, 1)
		here := Place{}.time(b, plan)
		over = append(over, (p.time(b, plan) - here).Seconds())
	}
	slices.Sort(over)
	b.ReportMetric(over[len(over)/2], "s-overhead")
}

// Sixty is the part of the slots' time in which sixty stages of five seconds do their work.
func Sixty(b *testing.B, p Place) {
	p.copyProgram(b)
	var took time.Duration
	n := 0
	for ; b.Loop(); n++ {
		took += p.time(b, sameStages(fmt.Sprint("run", n), 60, 5))
	}
	b.ReportMetric(100*60*5/float64(p.Slots)/(took.Seconds()/float64(n)), "%-of-slots")
}

// copyProgram lets every slot have run something, so that no figure holds the copying.
func (p Place) copyProgram(b *testing.B) {
	b.Helper()
	p.time(b, sameStages("first", p.Slots+p.Slots/2, 1))
}

// time is how long a plan takes there, or here where there is no executor.
func (p Place) time(b *testing.B, plan string) time.Duration {
	b.Helper()
	at := jobstest.NewBench(b, plan)
	if p.Store != nil {
		at.Store = p.Store(b)
	}
	at.Tweak = func(r *jobs.Runner) {
		r.Parallel = 60
		if p.New != nil {
			r.Executor = p.New(b, at.Store)
		}
	}
	began := time.Now()
	res, err := at.Run()
	if err != nil || res.Code != 0 {
		b.Fatalf("%v, %+v", err, res)
	}
	return time.Since(began)
}

// sameStages is a plan of n stages of some seconds that have nothing to wait for.
func sameStages(name string, n, seconds int) string {
	var plan strings.Builder
	fmt.Fprintf(&plan, "name: %s\nstages:\n", name)
	for i := range n {
		fmt.Fprintf(&plan, "  - {name: s%d, kind: slow, needs: [], with: {text: %s%d, times: %d, pace: 1s}}\n", i, name, i, seconds)
	}
	return plan.String()
}
