package remote

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
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
		"two currencies":      {&Executor{Provider: unlisted{}, PerHour: usd(7), PerGPUHour: eur}, executor.Resources{GPUs: 2}, 7, "config", true},
	} {
		c.e.Resources = func(*runs.Attempt) executor.Resources { return c.r }
		c.e.Limits.Grace = time.Second
		got, err := c.e.PriceOf(t.Context(), &runs.Attempt{})
		if got.PerHour != c.want*money.Unit || got.Basis != c.by || got.Grace != time.Second || (err != nil) != c.err {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
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
	} {
		if got := held(c.phase); c.pays && got < step || !c.pays && got != 0 {
			t.Errorf("%d, %s: %s were counted", i, c.phase, got)
		}
	}
	if m.held < 3*step || m.so() != m.held {
		t.Errorf("held %s, so far %s", m.held, m.so())
	}
}
