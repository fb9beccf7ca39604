package executortest

import (
	"errors"
	"math"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// paid: every try of a stage is paid for, the two whose machine is taken away too, and the
// sum is that of the tries.
func (s Subject) paid(t *testing.T) {
	store := s.openStore(t)
	b := jobstest.NewBench(t, "name: paid\nstages:\n  - {name: stage, kind: "+s.Kind+", needs: [], retry: {machine: 2}, with: {times: 9, pace: 1s, keep: true}}\n")
	b.Store = store
	var killed sync.Map
	b.Tweak = func(r *jobs.Runner) {
		e := s.remote(t, store)
		e.PerHour = money.Price{Amount: 3600 * money.Unit, Currency: "EUR"}
		r.Executor = e
		r.Observer = jobstest.Observe(func(e runs.Event) {
			if e.Type != runs.EventProgress || e.Attempt > 2 {
				return
			}
			if _, again := killed.LoadOrStore(e.Attempt, true); !again {
				killWorkers(t, store, syscall.SIGTERM)
			}
		})
	}
	began := time.Now()
	res, err := b.Run()
	if err != nil || res.Code != 0 || res.Stages[0].Cost == nil {
		t.Fatalf("%v, %+v", err, res)
	}
	most := time.Since(began).Seconds()
	sum, seconds := money.Amount(0), 0.0
	want := []runs.State{runs.Lost, runs.Lost, runs.Succeeded}
	tries := res.Stages[0].Cost.Tries
	if len(tries) != len(want) {
		t.Fatalf("tries %+v", tries)
	}
	for i, x := range tries {
		// A second costs 1, so the cost of a try is its seconds.
		if x.State != want[i] || x.Attempt != i+1 || x.Seconds <= 0 || math.Abs(float64(x.Total)/1e6-x.Seconds) > 0.001 {
			t.Errorf("try %d: %+v", i+1, x)
		}
		sum, seconds = sum.Plus(x.Total), seconds+x.Seconds
	}
	if seconds > most || seconds < 9-1 { // the work alone takes as long
		t.Errorf("%.1f s were paid for, and the run took %.1f s", seconds, most)
	}
	if c := res.Cost; c == nil || c.Total != sum || res.Stages[0].Cost.Total != sum || c.Currency != "EUR" {
		t.Errorf("the run cost %+v, its tries %s", c, sum)
	}
}

// spent: an attempt that cannot end early is asked to end when its money is up, and is
// not tried again.
func (s Subject) spent(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, s.slow())
	a.Run, a.Spend = "20260102-050607-00054322", 3*time.Second
	if err := runs.SaveAttempt(t.Context(), store, a); err != nil {
		t.Fatal(err)
	}
	out := s.New(t, store).Execute(t.Context(), a, &sink{})
	if out.State != runs.Interrupted || !errors.Is(out.Err, stages.ErrMoney) || out.Cause != "" || out.Held < a.Spend {
		t.Errorf("outcome %+v", out)
	}
}
