package reload

import (
	"context"
	"time"
)

// Degraded is a release whose keywords answer, because this machine could not run its model.
type Degraded struct {
	Reason string // of the last try
	Tries  int    // since keywords answer; the first one found out that they must
	Next   time.Time
}

// retry is when a release is tried again that could not answer.
type retry struct {
	release Release
	tries   int
	at      time.Time
}

const (
	// firstPause is that of a reference which is never asked what it names.
	firstPause = 5 * time.Second
	// maxPause is the longest pause between two tries.
	maxPause = 5 * time.Minute
)

// pause is the shortest one between two tries.
func (k *Keeper) pause() time.Duration {
	if k.o.Poll > 0 {
		return k.o.Poll
	}
	return firstPause
}

// due reports whether a release is to be tried now.
func (k *Keeper) due(r Release) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.retry.release != r || !time.Now().Before(k.retry.at)
}

// later counts a try that failed, and says how long to wait for the next one: twice as long
// each time. The lock is held.
func (k *Keeper) later(r Release) time.Duration {
	if k.retry.release != r {
		k.retry = retry{release: r}
	}
	pause := min(k.pause()<<min(k.retry.tries, 10), maxPause)
	k.retry.tries++
	k.retry.at = time.Now().Add(pause)
	return pause
}

// take puts a model into the slot, ends what was known of the one before, and returns it.
func (k *Keeper) take(m *Model) *Model {
	old := k.put(m)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.Refused, k.status.Degraded, k.retry = nil, nil, retry{}
	if m.Fallback != nil {
		k.later(m.Release)
		k.status.Degraded = &Degraded{m.Fallback.Error(), k.retry.tries, k.retry.at}
	}
	return old
}

// mend tries again to run the model of a release whose keywords answer: a device may have
// come, or memory be free. Until it does, the keywords stay.
func (k *Keeper) mend(ctx context.Context, r Release) {
	k.mu.Lock()
	k.status.Refused = nil // it is the one that is named
	k.mu.Unlock()
	if !k.due(r) {
		return
	}
	began := time.Now()
	m, err := k.load(ctx, r, true)
	switch {
	case ctx.Err() != nil:
		if err == nil {
			m.end()
		}
	case err != nil:
		k.mu.Lock()
		defer k.mu.Unlock()
		pause := k.later(r)
		k.status.Degraded = &Degraded{err.Error(), k.retry.tries, k.retry.at}
		k.o.Log.Warn("keywords still answer, the model cannot be loaded", "model", r.String(), "digest", r.Digest, "error", err, "again_in", pause.String())
	default:
		old := k.take(m)
		k.o.Log.Info("the model answers, no longer its keywords", "model", r.String(), "digest", r.Digest, "seconds", time.Since(began).Seconds())
		k.draining.Go(func() { old.end(); giveBack() })
	}
}

// refuse keeps the model that answers in the place of a release that cannot.
func (k *Keeper) refuse(r Release, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := time.Now()
	if k.status.Refused != nil && k.status.Refused.Release == r {
		since = k.status.Refused.Since
	}
	k.status.Refused = &Refused{r, err.Error(), since}
	pause := k.later(r)
	k.o.Log.Error("the release that is named cannot answer; the one before does", "model", r.String(), "digest", r.Digest, "error", err, "again_in", pause.String())
}

// forget ends what is known of a refused release.
func (k *Keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.Refused, k.retry = nil, retry{}
}
