package remote

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// tellEvery is how often a worker is told for how long its money still pays. Between, it
// counts by its own clock.
const tellEvery = time.Minute

// allowed is what a runner has told a worker.
type allowed struct {
	at       time.Time
	restarts int
}

// overspent is the error of a job whose money is up.
func (f *followed) overspent() error {
	if f.spend == 0 || f.meter.so() <= f.spend {
		return nil
	}
	return stages.Fail(stages.CodeDeadline, "raise max_cost; the same command continues from the checkpoint if there is one", "%w: stage %s has held a machine of %s for the %s that were paid for", stages.ErrMoney, f.a.Stage, f.Name, f.spend.Round(time.Second))
}

// tellSpend tells the worker for how long its money still pays: it cannot know how long
// its machine took to start, nor for how long an earlier one was held.
func (f *followed) tellSpend(ctx context.Context) {
	if f.spend == 0 || !f.told.at.IsZero() && f.told.restarts == f.last.Restarts && time.Since(f.told.at) < tellEvery {
		return
	}
	left := max(f.spend-f.meter.so(), 0)
	if err := runs.SaveLeft(ctx, f.Store, f.a.Run, f.a.Stage, f.a.Number, left); err != nil {
		f.Log.Debug("a worker could not be told for how long its money pays", "job", f.job.ID, "error", err)
		return
	}
	f.told = allowed{time.Now(), f.last.Restarts}
}

// allowance is the worker's end: what it was told last, counted by its own clock. It is
// safe for concurrent use.
type allowance struct {
	store *storage.Store
	every time.Duration

	mu      sync.Mutex
	until   time.Time
	version string
	asking  bool
	asked   time.Time
}

// left is how long the money of an attempt still pays. It never waits for the store.
func (l *allowance) left(a *runs.Attempt) (time.Duration, bool) {
	if a.Spend == 0 {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until.IsZero() {
		l.until = time.Now().Add(a.Spend)
	}
	if !l.asking && time.Since(l.asked) > l.every {
		l.asking = true
		go l.ask(a)
	}
	return time.Until(l.until), true
}

// ask reads what the runner has said.
func (l *allowance) ask(a *runs.Attempt) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	left, version, err := runs.LoadLeft(ctx, l.store, a.Run, a.Stage, a.Number)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking, l.asked = false, time.Now()
	if err != nil && !errors.Is(err, storage.ErrNotFound) || version == l.version {
		return
	}
	// What was said may be as old as the time between two questions.
	l.version, l.until = version, time.Now().Add(min(left, a.Spend)-l.every)
}
