package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/report"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// landlord is an executor that lends machines by the hour, and takes some back.
type landlord struct {
	executor.Executor
	price executor.Price
	held  map[string][]time.Duration // by stage, of its tries in their order
	taken map[string]int             // how many of them are pre-empted
	bound bool                       // tries end when their money is up

	mu     sync.Mutex
	tries  map[string]int
	spends map[string][]time.Duration // for which tries were paid
}

func (l *landlord) KeepsTime(*runs.Attempt) bool { return true }

func (l *landlord) PriceOf(_ context.Context, a *runs.Attempt) (executor.Price, error) {
	if l.held[a.Stage] == nil {
		return executor.Price{}, nil
	}
	return l.price, nil
}

func (l *landlord) Execute(ctx context.Context, a *runs.Attempt, sink executor.Sink) executor.Outcome {
	l.mu.Lock()
	if l.tries == nil {
		l.tries, l.spends = map[string]int{}, map[string][]time.Duration{}
	}
	n := l.tries[a.Stage]
	l.tries[a.Stage]++
	l.spends[a.Stage] = append(l.spends[a.Stage], a.Spend)
	l.mu.Unlock()
	o := executor.FromError(stages.Lose(stages.CodeStage, "", "the machine was taken for something else"))
	if n >= l.taken[a.Stage] {
		o = l.Executor.Execute(ctx, a, sink)
	}
	if held := l.held[a.Stage]; n < len(held) {
		o.Held = held[n]
	}
	if l.bound && o.Held > a.Spend {
		o.Held = a.Spend + l.price.Grace
		if o.Manifest == nil {
			o = executor.Outcome{State: runs.Interrupted, Err: stages.Fail(stages.CodeDeadline, "", "%w", stages.ErrMoney), Held: o.Held}
		}
	}
	return o
}

func rented(b *jobstest.Bench, l *landlord, most string) {
	b.Tweak = func(r *jobs.Runner) {
		l.Executor = r.Executor
		r.Executor = l
		if most != "" {
			if err := r.MaxCost.UnmarshalText([]byte(most)); err != nil {
				b.T.Fatal(err)
			}
		}
	}
}

// TestCostsAddUp: every try of a stage is paid for, those whose machine was taken too, in
// the result, the stored record, the list of runs and the report.
func TestCostsAddUp(t *testing.T) {
	b := jobstest.NewBench(t, retried("{machine: 3}"))
	l := &landlord{
		price: executor.Price{PerHour: 1_800_000, Currency: "EUR", Basis: "config"},
		held:  map[string][]time.Duration{"make": {10 * time.Minute, 20*time.Minute + time.Millisecond, 7 * time.Second}, "join": {time.Hour}},
		taken: map[string]int{"make": 2},
	}
	rented(b, l, "")
	res := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	want := &runs.StageCost{Currency: "EUR", Total: 300_000 + 600_001 + 3_500, Tries: []runs.AttemptCost{
		{Attempt: 1, State: runs.Lost, Seconds: 600, PerHour: 1_800_000, Basis: "config", Total: 300_000},
		{Attempt: 2, State: runs.Lost, Seconds: 1200.001, PerHour: 1_800_000, Basis: "config", Total: 600_001},
		{Attempt: 3, State: runs.Succeeded, Seconds: 7, PerHour: 1_800_000, Basis: "config", Total: 3_500},
	}}
	all := &runs.Cost{Currency: "EUR", Total: 903_501 + 1_800_000}
	stored, err := runs.Load(t.Context(), b.Store, *res.Run)
	if err != nil {
		t.Fatal(err)
	}
	for where, r := range map[string]*runs.Result{"result": res, "record": &stored.Record.Result} {
		if d := cmp.Diff(want, r.Stages[0].Cost); d != "" {
			t.Errorf("%s: the stage (-want +got): %s", where, d)
		}
		if d := cmp.Diff(all, r.Cost); d != "" || r.Stages[1].Cost != nil {
			t.Errorf("%s: the run (-want +got): %s, a stage without a price %+v", where, d, r.Stages[1].Cost)
		}
	}
	// So does what is known of a run that has no end yet.
	journal, err := runs.Progress(t.Context(), b.Store, *res.Run)
	if err != nil || !cmp.Equal(want, journal[0].Cost) || !cmp.Equal(all, runs.CostOf(journal)) {
		t.Errorf("the journal has %+v, %v", journal, err)
	}
	listed, err := catalog.Load(t.Context(), b.Store, []string{*res.Run}, runs.LoadBrief)
	if err != nil || !cmp.Equal(all, listed[0].Cost) {
		t.Errorf("the list has %+v, %v", listed[0].Cost, err)
	}
	source, err := document.Load(t.Context(), b.Store, *res.Run)
	if err != nil {
		t.Fatal(err)
	}
	var html bytes.Buffer
	if err := render.HTML(&html, report.Build(source)); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"2.70 EUR", "0.90", "1.80", "0.30"} {
		if !strings.Contains(html.String(), words) {
			t.Errorf("the report does not say %q", words)
		}
	}
}

// TestNothingIsPaid: a run without prices says nothing of costs.
func TestNothingIsPaid(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	res := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	line, err := json.Marshal(res)
	if err != nil || strings.Contains(string(line), "cost") {
		t.Errorf("%s, %v", line, err)
	}
}

// TestMaxCost: what a try may cost is taken before it begins, less what the stages after
// it need; without money for it none begins.
func TestMaxCost(t *testing.T) {
	price := executor.Price{PerHour: 2_000_000, Currency: "USD", Grace: time.Minute}
	held := map[string][]time.Duration{"make": {30 * time.Minute, 30 * time.Minute}, "slow": {time.Minute}}
	t.Run("reserved", func(t *testing.T) {
		b := jobstest.NewBench(t, retried("{machine: 3}"))
		l := &landlord{price: price, held: held, taken: map[string]int{"make": 1}}
		rented(b, l, "4 USD")
		res := b.MustRun(0, "succeeded succeeded succeeded succeeded")
		// 4 less a tenth for slow, at 2 an hour, less the grace; the second try has 1 less.
		want := map[string][]time.Duration{"make": {108*time.Minute - time.Minute, 78*time.Minute - time.Minute}, "slow": {59 * time.Minute}, "refine": {0}, "join": {0}}
		if d := cmp.Diff(want, l.spends); d != "" {
			t.Errorf("paid for (-want +got): %s", d)
		}
		if res.Cost.Total != 2_033_333 || res.Cost.Most != 4_000_000 || res.Cost.Ended != nil {
			t.Errorf("cost %+v", res.Cost)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		b := jobstest.NewBench(t, strings.Replace(jobstest.Plan, "- name: make", "- name: make\n    timeout: 10m", 1))
		l := &landlord{price: price, held: held}
		rented(b, l, "4 USD")
		b.MustRun(0, "succeeded succeeded succeeded succeeded")
		if got := l.spends["make"]; !slices.Equal(got, []time.Duration{10 * time.Minute}) {
			t.Errorf("paid for %s", got)
		}
	})
	t.Run("spent", func(t *testing.T) {
		b := jobstest.NewBench(t, retried("{machine: 3}"))
		l := &landlord{price: price, held: held, taken: map[string]int{"make": 9}}
		rented(b, l, "1.10 USD")
		res := b.MustRun(124, "interrupted skipped skipped skipped")
		if l.tries["make"] != 1 || res.Retryable || !slices.Equal(res.Cost.Ended, []string{"make"}) || res.Cost.Total != 1_000_000 {
			t.Errorf("%d tries, %+v, %+v", l.tries["make"], res, res.Cost)
		}
		if !strings.Contains(res.Error, "1.00 USD of 1.10 USD are spent") || !strings.Contains(res.Hint, "max_cost") {
			t.Errorf("%s (%s)", res.Error, res.Hint)
		}
	})
	t.Run("spent after some work", func(t *testing.T) {
		b := jobstest.NewBench(t, jobstest.Plan)
		l := &landlord{price: price, held: map[string][]time.Duration{"make": {30 * time.Minute}, "slow": {time.Minute}}}
		rented(b, l, "1.02 USD")
		res := b.MustRun(75, "succeeded succeeded succeeded interrupted")
		if res.Retryable || !slices.Equal(res.Cost.Ended, []string{"slow"}) {
			t.Errorf("%+v, %+v", res, res.Cost)
		}
	})
	t.Run("currencies", func(t *testing.T) {
		b := jobstest.NewBench(t, jobstest.Plan)
		rented(b, &landlord{price: price, held: held}, "4 EUR")
		if _, err := b.Run(); executor.Code(err) != stages.CodeUsage || !strings.Contains(err.Error(), "EUR") {
			t.Errorf("%v", err)
		}
	})
}

// TestMaxCostBelowTheEstimate: a run is refused before it begins if what its stages took
// before costs more; a kind that ends early is not.
func TestMaxCostBelowTheEstimate(t *testing.T) {
	for early, code := range map[bool]stages.Code{false: stages.CodeDeadline, true: stages.CodeDone} {
		b := jobstest.NewBench(t, jobstest.Plan)
		for i := range b.Registry {
			b.Registry[i].EndsEarly = func(any) bool { return early }
		}
		b.Set = []string{"make.pace=300ms"}
		b.MustRun(0, "succeeded succeeded succeeded succeeded")
		b.Count.N = nil
		b.Set = []string{"make.pace=300ms", "make.text=new"}
		l := &landlord{price: executor.Price{PerHour: 3600 * money.Unit, Currency: "USD"}, held: map[string][]time.Duration{"make": {time.Millisecond}}}
		rented(b, l, "0.20 USD")
		res, err := b.Run()
		if err == nil && res.Code != code || err != nil && executor.Code(err) != code {
			t.Errorf("ends early %t: %+v, %v", early, res, err)
		}
		if !early && (!errors.Is(err, stages.ErrMoney) || b.Count.N["make"] > 0 || !strings.Contains(err.Error(), "max_cost is 0.20 USD")) {
			t.Errorf("%v, ran %s", err, b.Count)
		}
	}
}

// TestMaxCostIsNeverPassed: whatever is taken away, runs beside another or takes long, a run
// pays no more than max_cost if its tries end within their grace.
func TestMaxCostIsNeverPassed(t *testing.T) {
	const plan = "name: wide\nstages:\n" +
		"  - {name: a, kind: make, needs: [], retry: {machine: 3}, with: {text: a}}\n  - {name: b, kind: make, needs: [], retry: {machine: 3}, with: {text: b}}\n" +
		"  - {name: c, kind: make, needs: [], with: {text: c}}\n  - {name: join, needs: [a, b, c], inputs: {raw: c.raw}}\n"
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 7))
		b := jobstest.NewBench(t, plan)
		l := &landlord{price: executor.Price{PerHour: money.Amount(random.Int64N(9_999_999) + 1), Currency: "USD", Grace: time.Duration(random.Int64N(int64(time.Minute)))}, held: map[string][]time.Duration{}, taken: map[string]int{}}
		for _, name := range []string{"a", "b", "c", "join"} {
			for range 5 {
				l.held[name] = append(l.held[name], time.Duration(random.Int64N(int64(2*time.Hour))))
			}
			l.taken[name] = random.IntN(4)
		}
		l.bound = true
		most := money.Amount(random.Int64N(20_000_000) + 1)
		rented(b, l, most.String())
		res, err := b.Run()
		if err != nil {
			t.Fatal(err)
		}
		if res.Cost.Total > most || res.Cost.Most != most {
			t.Errorf("seed %d: it cost %s of %s", seed, res.Cost.Total, most)
		}
	}
}
