package remote

import (
	"context"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// PriceOf is what an hour of the attempt costs here: by the config, else by the provider
// if it knows. Nothing is the price of a place of which nobody says one.
func (e *Executor) PriceOf(ctx context.Context, a *runs.Attempt) (executor.Price, error) {
	price, err := e.price(ctx, e.resources(a))
	price.Grace = e.limits(a).Grace + longestPause + tellTime
	return price, err
}

// tellTime is what a place takes to be told that a job is to end, and then that it is to be
// killed: a login or a request each, which a busy machine keeps waiting.
const tellTime = 5 * time.Second

func (e *Executor) price(ctx context.Context, r executor.Resources) (executor.Price, error) {
	if r.Preemptible && e.PerSpotHour != (money.Price{}) {
		return executor.Price{PerHour: e.PerSpotHour.Amount, Currency: e.PerSpotHour.Currency, Basis: "config, preemptible"}, nil
	}
	if e.PerHour != (money.Price{}) || e.PerGPUHour != (money.Price{}) {
		return e.configured(r)
	}
	if p, ok := e.Provider.(executor.Pricer); ok {
		return p.Price(ctx, r)
	}
	return executor.Price{}, nil
}

// namesPrice reports whether the config says a price.
func (e *Executor) namesPrice() bool {
	return slices.ContainsFunc([]money.Price{e.PerHour, e.PerGPUHour, e.PerSpotHour}, func(p money.Price) bool { return p != money.Price{} })
}

// configured is the price by the config.
func (e *Executor) configured(r executor.Resources) (executor.Price, error) {
	out := executor.Price{PerHour: e.PerHour.Amount, Currency: e.PerHour.Currency, Basis: "config"}
	if e.PerGPUHour == (money.Price{}) {
		return out, nil
	}
	if out.Currency != "" && out.Currency != e.PerGPUHour.Currency {
		return out, stages.Fail(stages.CodeUsage, "write both in one currency", "executors.%s has prices in %s and in %s, which cannot be added", e.Name, out.Currency, e.PerGPUHour.Currency)
	}
	out.Currency = e.PerGPUHour.Currency
	gpus := r.GPUs
	if r.Device == "cuda" || r.GPUType != "" {
		gpus = max(gpus, 1)
	}
	for range gpus {
		out.PerHour = out.PerHour.Plus(e.PerGPUHour.Amount)
	}
	return out, nil
}

// meter counts for how long a job holds a machine. The zero value waits in a queue.
type meter struct {
	held  time.Duration // until since
	since time.Time     // when it began to hold one; zero if it holds none
	over  bool          // it will hold none any more
}

// enter notes the phase that a job is in: a place may put it back into its queue.
func (m *meter) enter(p executor.Phase) {
	now := time.Now()
	if !m.since.IsZero() {
		m.held += now.Sub(m.since)
		m.since = time.Time{}
	}
	m.over = m.over || p == executor.PhaseEnded
	if !m.over && (p == executor.PhaseStarting || p == executor.PhaseRunning) {
		m.since = now
	}
}

// so is how long it has held one by now.
func (m *meter) so() time.Duration {
	if m.since.IsZero() {
		return m.held
	}
	return m.held + time.Since(m.since)
}

// noteTime is how long the store may take to note when a machine was given.
const noteTime = 20 * time.Second

// count notes the phase that the job is in. A runner that comes after this one finds in the
// store since when a machine is paid for.
func (f *followed) count(p executor.Phase) {
	holds := p == executor.PhaseStarting || p == executor.PhaseRunning
	if holds && !f.before.IsZero() {
		f.meter.held = max(time.Since(f.before), 0)
	}
	// Of a job that has ended meanwhile nobody knows when.
	f.before = time.Time{}
	f.meter.enter(p)
	_, lists := f.Provider.(executor.Pricer)
	if !holds || !f.note.Since.IsZero() || !lists && !f.namesPrice() {
		return
	}
	f.note.Since = time.Now().UTC()
	ctx, cancel := context.WithTimeout(context.Background(), noteTime)
	defer cancel()
	if err := runs.SaveJob(ctx, f.Store, f.a.Kind, f.a.Key, *f.note); err != nil {
		f.Log.Debug("when a machine was given could not be noted", "job", f.job.ID, "error", err)
	}
}

var _ executor.Priced = (*Executor)(nil)
