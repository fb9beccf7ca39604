// Package probe tries for real what a shared store rests on: that one of many
// writers creates a key, that a swap on an old version is refused, that a write is
// read and listed, that a missing right is told as such. Quick is the preflight
// of a run, Run is what `sprint doctor` shows.
package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sprint-ml/sprint/storage/bucket"
	"github.com/sprint-ml/sprint/storage/record"
)

// Result is one semantic of a store, tried for real.
type Result struct {
	Name string
	// Means says what rests on it.
	Means string
	Err   error // nil: holds
	// Untried says why it could not be tried here; Err is nil then.
	Untried string
}

// Quick checks in a few operations that the store can be written, read and
// created in exclusively.
func Quick(ctx context.Context, b *bucket.Bucket) error {
	key := "probe/" + record.NewNonce()
	err := b.Create(ctx, key, []byte("probe"))
	if errors.Is(err, bucket.ErrExists) {
		return &bucket.Error{Op: "create", Key: key, Class: bucket.ErrCorrupt, Err: errors.New("under a new name there is something else than what was just written")}
	}
	if err != nil {
		return err
	}
	defer func() { _ = b.Sweep(context.WithoutCancel(ctx), key) }()
	if err := b.Create(ctx, key, []byte("again")); err == nil {
		return &bucket.Error{Op: "create", Key: key, Class: bucket.ErrInvalid, Err: fmt.Errorf("store %s takes a second exclusive create of one key: it cannot be shared; run `sprint doctor --store URL`", b.URL())}
	} else if !errors.Is(err, bucket.ErrExists) {
		return err
	}
	body, _, err := b.Read(ctx, key)
	if err == nil && string(body) != "probe" {
		err = &bucket.Error{Op: "probe", Key: key, Class: bucket.ErrCorrupt, Err: fmt.Errorf("read %q back", body)}
	}
	return err
}

// Run tries the semantics that sharing a store rests on. It needs the right
// to write below probe/; what it leaves there is swept if it may be.
func Run(ctx context.Context, b *bucket.Bucket) []Result {
	base := "probe/" + record.NewNonce() + "/"
	defer func() {
		ctx := context.WithoutCancel(ctx)
		for info, err := range b.List(ctx, base) {
			if err != nil {
				return
			}
			_ = b.Sweep(ctx, info.Key)
		}
	}()
	untried := ""
	probes := []struct {
		name, means string
		try         func(key string) error
	}{
		{"create twice", "one manifest per stage: without it two runs commit different results", func(key string) error { return twice(ctx, b, key, []byte("one"), []byte("two")) }},
		{"create race", "the same while both write at once", func(key string) error { return race(ctx, b, key) }},
		{"20 MiB create twice", "the same for big objects, which are sent in parts", func(key string) error {
			big := bytes.Repeat([]byte("sprint"), 20<<20/6+1)
			return twice(ctx, b, key, big, append(big, '!'))
		}},
		{"stale swap", "leases and aliases: without it two holders work on one stage, and a move of an alias is lost", func(key string) error { return swap(ctx, b, key) }},
		{"read your write", "a run reads what it just wrote", func(key string) error { return readback(ctx, b, key) }},
		{"list after write", "plan and run see what is done", func(key string) error { return list(ctx, b, key) }},
		{"denied is denied", "a missing right stops a run; taken for a missing object it would do all work again", func(key string) (err error) {
			untried, err = denied(ctx, b, key)
			return err
		}},
	}
	out := make([]Result, len(probes))
	for i, p := range probes {
		out[i] = Result{Name: p.name, Means: p.means, Err: p.try(fmt.Sprintf("%s%d", base, i))}
	}
	out[len(out)-1].Untried = untried
	return out
}

// readback reads each of several writes of one key.
func readback(ctx context.Context, b *bucket.Bucket, key string) error {
	for i := range 5 {
		want := fmt.Sprint("write ", i)
		if err := b.WriteFile(ctx, key, []byte(want)); err != nil {
			return err
		}
		if got, err := b.ReadFile(ctx, key, 100); err != nil || string(got) != want {
			return fmt.Errorf("wrote %q, read %q (%s)", want, got, fmt.Sprint(err))
		}
	}
	return nil
}

// list looks for each object that was just written.
func list(ctx context.Context, b *bucket.Bucket, key string) error {
	for i := range 5 {
		at := fmt.Sprintf("%s/%d", key, i)
		if err := b.WriteFile(ctx, at, []byte("x")); err != nil {
			return err
		}
		seen := false
		for info, err := range b.List(ctx, key+"/") {
			if err != nil {
				return err
			}
			seen = seen || info.Key == at
		}
		if !seen {
			return errors.New("a list does not show the object just written")
		}
	}
	return nil
}

// denied reads as somebody who has no rights. A store that lets everyone
// read, or that only this process sees, cannot be tried.
func denied(ctx context.Context, b *bucket.Bucket, key string) (untried string, err error) {
	if _, err := b.Stat(ctx, key); !errors.Is(err, bucket.ErrNotFound) {
		if errors.Is(err, bucket.ErrDenied) {
			return "", fmt.Errorf("a key never written is denied, not missing: the right to list the bucket is needed (%w)", err)
		}
		return "", fmt.Errorf("stat of a key never written: %s", fmt.Sprint(err))
	}
	key += "/closed/object"
	if err := b.WriteFile(ctx, key, []byte("closed")); err != nil {
		return "", err
	}
	other, restore, untried, err := b.Denied(ctx, key)
	if err != nil || untried != "" {
		return untried, err
	}
	defer restore()
	for op, err := range map[string]error{
		"read": func() error { _, err := other.ReadFile(ctx, key, 100); return err }(),
		"stat": func() error { _, err := other.Stat(ctx, key); return err }(),
	} {
		switch {
		case err == nil:
			return "it lets strangers read, so nothing is denied", nil
		case !errors.Is(err, bucket.ErrDenied):
			return "", fmt.Errorf("%s by a stranger is not told as denied but as: %w", op, err)
		}
	}
	return "", nil
}

// twice creates a key that is taken.
func twice(ctx context.Context, b *bucket.Bucket, key string, first, second []byte) error {
	if err := b.WriteNew(ctx, key, first); err != nil {
		return err
	}
	if err := b.WriteNew(ctx, key, second); !errors.Is(err, bucket.ErrExists) {
		return fmt.Errorf("the second create of a key was not refused (%s)", fmt.Sprint(err))
	}
	got, err := b.ReadFile(ctx, key, int64(len(second))+1)
	if err == nil && !bytes.Equal(got, first) {
		err = errors.New("the refused create changed the object")
	}
	return err
}

// raceTime bounds the tries of a race: a store that only pretends loses some of
// them, so many are needed, and one far away answers slowly.
const raceTime = 3 * time.Second

// race lets 16 writers create one key at once, again and again.
func race(ctx context.Context, b *bucket.Bucket, key string) error {
	began := time.Now()
	for round := 0; round < 300 && (round < 10 || time.Since(began) < raceTime); round++ {
		var wins atomic.Int32
		var wg sync.WaitGroup
		var other atomic.Value
		at := fmt.Sprintf("%s-%d", key, round)
		start := make(chan struct{})
		for i := range 16 {
			wg.Go(func() {
				<-start
				err := b.WriteNew(ctx, at, fmt.Appendf(nil, "racer %d", i))
				switch {
				case err == nil:
					wins.Add(1)
				case !errors.Is(err, bucket.ErrExists) && !errors.Is(err, bucket.ErrTransient):
					other.Store(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if err, ok := other.Load().(error); ok {
			return err
		}
		if wins.Load() > 1 {
			return fmt.Errorf("%d of 16 racers created one key, in round %d", wins.Load(), round+1)
		}
	}
	return nil
}

// swap swaps on a version that is past.
func swap(ctx context.Context, b *bucket.Bucket, key string) error {
	v1, err := b.Swap(ctx, key, "", []byte("one"))
	if err != nil {
		return err
	}
	if _, err := b.Swap(ctx, key, v1, []byte("two")); err != nil {
		return err
	}
	if _, err := b.Swap(ctx, key, v1, []byte("three")); !errors.Is(err, bucket.ErrStale) {
		return fmt.Errorf("a swap on an old version was not refused (%s)", fmt.Sprint(err))
	}
	body, _, err := b.Read(ctx, key)
	if err == nil && string(body) != "two" {
		err = errors.New("the refused swap changed the record")
	}
	return err
}
