package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gocloud.dev/blob"
)

// ProbeResult is one semantic of a store, tried for real.
type ProbeResult struct {
	Name string
	// Means says what rests on it.
	Means string
	Err   error // nil: holds
	// Untried says why it could not be tried here; Err is nil then.
	Untried string
}

// ProbeQuick checks in a few operations that the store can be written, read
// and created in exclusively. It is the preflight of a run.
func (s *Store) ProbeQuick(ctx context.Context) error {
	key := "probe/" + newNonce()
	err := s.Create(ctx, key, []byte("probe"))
	if errors.Is(err, ErrExists) {
		return &Error{Op: "create", Key: key, Class: ErrCorrupt, Err: errors.New("under a new name there is something else than what was just written")}
	}
	if err != nil {
		return err
	}
	defer func() { _ = s.Sweep(context.WithoutCancel(ctx), key) }()
	if err := s.Create(ctx, key, []byte("again")); err == nil {
		return &Error{Op: "create", Key: key, Class: ErrInvalid, Err: fmt.Errorf("store %s takes a second exclusive create of one key: it cannot be shared; run `sprint doctor --store URL`", s.url)}
	} else if !errors.Is(err, ErrExists) {
		return err
	}
	body, _, err := s.Read(ctx, key)
	if err == nil && string(body) != "probe" {
		err = &Error{Op: "probe", Key: key, Class: ErrCorrupt, Err: fmt.Errorf("read %q back", body)}
	}
	return err
}

// Probe tries the semantics that sharing a store rests on. It needs the right
// to write below probe/; what it leaves there is swept if it may be.
func (s *Store) Probe(ctx context.Context) []ProbeResult {
	base := "probe/" + newNonce() + "/"
	defer func() {
		ctx := context.WithoutCancel(ctx)
		for info, err := range s.List(ctx, base) {
			if err != nil {
				return
			}
			_ = s.Sweep(ctx, info.Key)
		}
	}()
	untried := ""
	probes := []struct {
		name, means string
		try         func(key string) error
	}{
		{"create twice", "one manifest per stage: without it two runs commit different results", func(key string) error { return s.probeTwice(ctx, key, []byte("one"), []byte("two")) }},
		{"create race", "the same while both write at once", func(key string) error { return s.probeRace(ctx, key) }},
		{"20 MiB create twice", "the same for big objects, which are sent in parts", func(key string) error {
			big := bytes.Repeat([]byte("sprint"), 20<<20/6+1)
			return s.probeTwice(ctx, key, big, append(big, '!'))
		}},
		{"stale swap", "leases and aliases: without it two holders work on one stage, and a move of an alias is lost", func(key string) error { return s.probeSwap(ctx, key) }},
		{"read your write", "a run reads what it just wrote", func(key string) error { return s.probeReadback(ctx, key) }},
		{"list after write", "plan and run see what is done", func(key string) error { return s.probeList(ctx, key) }},
		{"denied is denied", "a missing right stops a run; taken for a missing object it would do all work again", func(key string) (err error) {
			untried, err = s.probeDenied(ctx, key)
			return err
		}},
	}
	out := make([]ProbeResult, len(probes))
	for i, p := range probes {
		out[i] = ProbeResult{Name: p.name, Means: p.means, Err: p.try(fmt.Sprintf("%s%d", base, i))}
	}
	out[len(out)-1].Untried = untried
	return out
}

func (s *Store) probeReadback(ctx context.Context, key string) error {
	for i := range 5 {
		want := fmt.Sprint("write ", i)
		if err := s.WriteFile(ctx, key, []byte(want)); err != nil {
			return err
		}
		if got, err := s.ReadFile(ctx, key, 100); err != nil || string(got) != want {
			return fmt.Errorf("wrote %q, read %q (%v)", want, got, err)
		}
	}
	return nil
}

func (s *Store) probeList(ctx context.Context, key string) error {
	for i := range 5 {
		at := fmt.Sprintf("%s/%d", key, i)
		if err := s.WriteFile(ctx, at, []byte("x")); err != nil {
			return err
		}
		seen := false
		for info, err := range s.List(ctx, key+"/") {
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

// probeDenied reads as somebody who has no rights. A store that lets everyone
// read, or that only this process sees, cannot be tried.
func (s *Store) probeDenied(ctx context.Context, key string) (untried string, err error) {
	if _, err := s.Stat(ctx, key); !errors.Is(err, ErrNotFound) {
		if errors.Is(err, ErrDenied) {
			return "", fmt.Errorf("a key never written is denied, not missing: the right to list the bucket is needed (%w)", err)
		}
		return "", fmt.Errorf("stat of a key never written: %v", err)
	}
	if s.driver.stranger == nil {
		return "nobody but this process sees the store", nil
	}
	key += "/closed/object"
	if err := s.WriteFile(ctx, key, []byte("closed")); err != nil {
		return "", err
	}
	other, done, untried, err := s.driver.stranger(ctx, s, key)
	if err != nil || untried != "" {
		return untried, err
	}
	defer done()
	for op, err := range map[string]error{
		"read": func() error { _, err := other.ReadFile(ctx, key, 100); return err }(),
		"stat": func() error { _, err := other.Stat(ctx, key); return err }(),
	} {
		switch {
		case err == nil:
			return "it lets strangers read, so nothing is denied", nil
		case !errors.Is(err, ErrDenied):
			return "", fmt.Errorf("%s by a stranger is not told as denied but as: %w", op, err)
		}
	}
	return "", nil
}

// exclusive writes raw bytes under the condition that the key is free.
func (s *Store) exclusive(ctx context.Context, key string, data []byte) error {
	return wrap("create", key, s.bucket.WriteAll(ctx, key, data, &blob.WriterOptions{IfNotExist: true}))
}

func (s *Store) probeTwice(ctx context.Context, key string, first, second []byte) error {
	if err := s.exclusive(ctx, key, first); err != nil {
		return err
	}
	if err := s.exclusive(ctx, key, second); !errors.Is(err, ErrExists) {
		return fmt.Errorf("the second create of a key was not refused (%v)", err)
	}
	got, err := s.ReadFile(ctx, key, int64(len(second))+1)
	if err == nil && !bytes.Equal(got, first) {
		err = errors.New("the refused create changed the object")
	}
	return err
}

// raceTime bounds the tries of a race: a store that only pretends loses some of
// them, so many are needed, and one far away answers slowly.
const raceTime = 3 * time.Second

func (s *Store) probeRace(ctx context.Context, key string) error {
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
				err := s.exclusive(ctx, at, fmt.Appendf(nil, "racer %d", i))
				switch {
				case err == nil:
					wins.Add(1)
				case !errors.Is(err, ErrExists) && !errors.Is(err, ErrTransient):
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

func (s *Store) probeSwap(ctx context.Context, key string) error {
	v1, err := s.Swap(ctx, key, "", []byte("one"))
	if err != nil {
		return err
	}
	if _, err := s.Swap(ctx, key, v1, []byte("two")); err != nil {
		return err
	}
	if _, err := s.Swap(ctx, key, v1, []byte("three")); !errors.Is(err, ErrStale) {
		return fmt.Errorf("a swap on an old version was not refused (%v)", err)
	}
	body, _, err := s.Read(ctx, key)
	if err == nil && string(body) != "two" {
		err = errors.New("the refused swap changed the record")
	}
	return err
}
