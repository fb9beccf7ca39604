package remote

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// listed is a provider that knows its prices.
type listed struct {
	executor.Provider
	err error
}

func (l listed) Price(_ context.Context, r executor.Resources) (executor.Price, error) {
	return executor.Price{PerHour: money.Amount(r.GPUs+1) * money.Unit, Currency: "USD", Basis: "list"}, l.err
}

// unlisted is one that does not.
type unlisted struct{ executor.Provider }

// TestPriceOf: the config is asked before the provider; what nobody says costs nothing.
func TestPriceOf(t *testing.T) {
	usd := func(n money.Amount) money.Price { return money.Price{Amount: n * money.Unit, Currency: "USD"} }
	eur := money.Price{Amount: 9 * money.Unit, Currency: "EUR"}
	away := errors.New("the list is away")
	for name, c := range map[string]struct {
		e    *Executor
		r    executor.Resources
		want money.Amount
		by   string
		err  bool
	}{
		"nobody":              {&Executor{Provider: unlisted{}}, executor.Resources{GPUs: 2}, 0, "", false},
		"list":                {&Executor{Provider: listed{}}, executor.Resources{GPUs: 2}, 3, "list", false},
		"list away":           {&Executor{Provider: listed{err: away}}, executor.Resources{}, 1, "list", true},
		"config":              {&Executor{Provider: listed{err: away}, PerHour: usd(7)}, executor.Resources{GPUs: 2}, 7, "config", false},
		"config, GPUs":        {&Executor{Provider: unlisted{}, PerHour: usd(7), PerGPUHour: usd(2)}, executor.Resources{GPUs: 2}, 11, "config", false},
		"config, cuda":        {&Executor{Provider: unlisted{}, PerGPUHour: usd(2)}, executor.Resources{Device: "cuda"}, 2, "config", false},
		"config, no GPU":      {&Executor{Provider: unlisted{}, PerGPUHour: usd(2)}, executor.Resources{Device: "cpu"}, 0, "config", false},
		"config, preemptible": {&Executor{Provider: unlisted{}, PerHour: usd(7), PerGPUHour: usd(2), PerSpotHour: usd(3)}, executor.Resources{GPUs: 2, Preemptible: true}, 3, "config, preemptible", false},
		"config, stays":       {&Executor{Provider: unlisted{}, PerHour: usd(7), PerSpotHour: usd(3)}, executor.Resources{}, 7, "config", false},
		"list, stays":         {&Executor{Provider: listed{}, PerSpotHour: usd(3)}, executor.Resources{}, 1, "list", false},
		"two currencies":      {&Executor{Provider: unlisted{}, PerHour: usd(7), PerGPUHour: eur}, executor.Resources{GPUs: 2}, 7, "config", true},
	} {
		c.e.Resources = func(*runs.Attempt) executor.Resources { return c.r }
		c.e.Limits.Grace = time.Second
		got, err := c.e.PriceOf(t.Context(), &runs.Attempt{})
		if got.PerHour != c.want*money.Unit || got.Basis != c.by || got.Grace != time.Second+longestPause+tellTime || (err != nil) != c.err {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestPaidBeforeItWasFollowed: a runner that takes over counts from when a machine was
// given, unless the job has ended meanwhile; each tells the next.
func TestPaidBeforeItWasFollowed(t *testing.T) {
	store := stagetest.Store(t)
	follow := func(since time.Time) *followed {
		e := &Executor{Provider: unlisted{}, Store: store, Log: slog.New(slog.DiscardHandler), PerHour: money.Price{Amount: 1, Currency: "USD"}}
		return &followed{Executor: e, a: &runs.Attempt{Kind: "k", Key: strings.Repeat("ab", 32)}, job: &executor.Job{}, note: &runs.Job{Run: "r", Since: since}, before: since}
	}
	first := follow(time.Time{})
	first.count(executor.PhaseQueued)
	if _, _, err := runs.LoadJob(t.Context(), store, "k", first.a.Key); err == nil {
		t.Error("a job that waits was noted to hold a machine")
	}
	first.count(executor.PhaseStarting)
	noted, _, err := runs.LoadJob(t.Context(), store, "k", first.a.Key)
	if err != nil || time.Since(noted.Since) > time.Minute || noted.Since.After(time.Now()) {
		t.Fatalf("noted %+v, %v", noted, err)
	}
	for phase, most := range map[executor.Phase]time.Duration{executor.PhaseRunning: time.Hour, executor.PhaseEnded: 0} {
		second := follow(time.Now().Add(-time.Hour))
		second.count(phase)
		if got := second.meter.so(); got < most || got > most+time.Minute {
			t.Errorf("%s: %s are paid, want %s", phase, got, most)
		}
	}
	ahead := follow(time.Now().Add(time.Hour)) // of a runner whose clock is wrong
	ahead.count(executor.PhaseRunning)
	if got := ahead.meter.so(); got > time.Minute {
		t.Errorf("%s are paid", got)
	}
}

// TestMeter: a machine is paid for while a job has one, as often as it gets one, and never
// while it waits.
func TestMeter(t *testing.T) {
	const step = 30 * time.Millisecond
	var m meter
	held := func(p executor.Phase) time.Duration {
		m.enter(p)
		before := m.so()
		time.Sleep(step)
		return m.so() - before
	}
	for i, c := range []struct {
		phase executor.Phase
		pays  bool
	}{
		{executor.PhaseQueued, false},
		{executor.PhaseStarting, true},
		{executor.PhaseRunning, true},
		{executor.PhaseQueued, false}, // put back
		{executor.PhaseRunning, true},
		{executor.PhaseEnded, false},
		{executor.PhaseRunning, false}, // a message of its that came late
	} {
		if got := held(c.phase); c.pays && got < step || !c.pays && got != 0 {
			t.Errorf("%d, %s: %s were counted", i, c.phase, got)
		}
	}
	if m.held < 3*step || m.so() != m.held {
		t.Errorf("held %s, so far %s", m.held, m.so())
	}
}
