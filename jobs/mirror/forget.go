package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Forget makes the store know nothing of a mirror of a model, so that no list calls it
// behind. What it shows stays there, and a plan that lists it brings it up to date again. One
// that somebody works on for longer than ctx is a Failure of CodeLease.
func (p Pusher) Forget(ctx context.Context, model, target string) error {
	lease, err := p.acquire(ctx, model, target)
	if errors.Is(err, context.DeadlineExceeded) {
		return stages.Fail(stages.CodeLease, "wait for it, or end it", "another process works on the mirror %s of %s", target, model)
	}
	if err != nil {
		return err
	}
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }() // a lease that stays is taken over later
	// It is written over, not deleted: who may run plans may not delete.
	return State{Target: target, Forgotten: true}.save(ctx, p.Store, model)
}

// drop notes which mirrors of a model the plan that last listed them lists no more.
func (p Pusher) drop(ctx context.Context, model string, targets []stages.Mirror) error {
	if p.Plan == "" {
		return nil
	}
	listed := map[string]bool{}
	for _, target := range targets {
		if u, err := target.Address(); err == nil {
			listed[u.String()] = true
		}
	}
	known, err := States(ctx, p.Store, model)
	if err != nil {
		return err
	}
	for _, s := range known {
		if listed[s.Target] || s.Plan != p.Plan || !s.Dropped.IsZero() {
			continue
		}
		if err := p.dropOne(ctx, model, s.Target); err != nil {
			return fmt.Errorf("mirror %s of %s: %w", s.Target, model, err)
		}
	}
	return nil
}

// dropOne notes that a mirror is listed no more, unless another writes its state meanwhile:
// who does lists it.
func (p Pusher) dropOne(ctx context.Context, model, target string) error {
	s, at, err := load(ctx, p.Store, model, target)
	if err != nil || s.Plan != p.Plan {
		return err
	}
	s.Dropped = time.Now().UTC()
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err = p.Store.Swap(ctx, folder(model)+ID(target), at, body); errors.Is(err, storage.ErrStale) {
		return nil
	}
	return err
}
