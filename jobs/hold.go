package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// lease takes the lease of a key. While another runner holds it, this one
// waits: it adopts the other's manifest, or takes over when the holder is gone.
func (u *run) lease(ctx context.Context, e Evaluator, t *Task, v *Verdict, inputs map[string]storage.Artifact) (*storage.Lease, *storage.Manifest, error) {
	name := t.Kind.Name + "/" + v.Key
	self := storage.Self()
	var seen string
	var since time.Time
	stale := ""
	for first := true; ; first = false {
		l, err := u.Store.Acquire(ctx, name, self, u.TTL, stale)
		if err == nil {
			// Another runner may have finished since the task was looked up,
			// and released the lease before this one asked for it.
			now, err := e.Task(ctx, u.g, t, inputs)
			if err != nil || now.Manifest != nil {
				_ = l.Release(context.WithoutCancel(ctx))
				if err != nil {
					return nil, nil, err
				}
				return nil, now.Manifest, nil
			}
			return l, nil, nil
		}
		var held *storage.HeldError
		if !errors.As(err, &held) {
			return nil, nil, err
		}
		if held.Version != seen {
			if first {
				u.state(t, Waiting, fmt.Sprintf("%s is doing it", held.Holder), nil)
			}
			seen, since = held.Version, time.Now()
		}
		if time.Since(since) > u.TTL {
			stale = seen
			continue
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(max(u.TTL/40, 10*time.Millisecond)):
		}
		if now, err := e.Task(ctx, u.g, t, inputs); err == nil && now.Manifest != nil {
			return nil, now.Manifest, nil
		}
	}
}
