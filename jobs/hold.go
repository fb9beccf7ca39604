package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// lease takes the lease of a key. While another runner holds it, this one
// waits: it returns a verdict with the other's manifest, or takes over when the
// holder is gone. With NoWait it returns the *storage.HeldError of a holder
// that was seen to live.
func (u *run) lease(ctx context.Context, e evaluate.Evaluator, t *graph.Node, v *evaluate.Decision, inputs map[string]storage.Artifact) (*storage.Lease, *evaluate.Decision, error) {
	name := t.Kind.Name + "/" + v.Key
	self := storage.Self()
	self.Run = u.id
	var seen string
	var since time.Time
	stale := ""
	for {
		l, err := u.Store.Acquire(ctx, name, self, u.TTL, stale)
		if err == nil {
			// Another runner may have finished since the task was looked up,
			// and released the lease before this one asked for it.
			now, err := u.look(ctx, e, t, v, inputs)
			if err != nil || now.Manifest != nil {
				_ = l.Release(context.WithoutCancel(ctx))
				l = nil
			}
			return l, now, err
		}
		var held *storage.HeldError
		if !errors.As(err, &held) {
			return nil, v, err
		}
		if held.Version != seen {
			if seen == "" {
				u.state(t, runs.Waiting, fmt.Sprintf("%s is doing it", held.Holder), nil)
			} else if u.NoWait && held.Holder != self { // of two equal stages of this run one waits
				return nil, v, fmt.Errorf("stage %s is being done by another run: %w", t.Name, held)
			}
			seen, since = held.Version, time.Now()
		}
		if time.Since(since) > u.TTL {
			stale = seen
			continue
		}
		select {
		case <-ctx.Done():
			return nil, v, context.Cause(ctx)
		case <-time.After(max(u.TTL/40, 10*time.Millisecond)):
		}
		// Only a manifest that came since is worth the whole look.
		if n, err := u.Store.Generation(ctx, t.Kind.Name, v.Key); err == nil && n > v.Generation {
			if now, err := u.look(ctx, e, t, v, inputs); err == nil && now.Manifest != nil {
				return nil, now, nil
			}
		}
	}
}
