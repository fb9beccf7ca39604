package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"gocloud.dev/blob"
)

// ProbeResult is one semantic of a store, tried for real.
type ProbeResult struct {
	Name string
	Err  error // nil: holds
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
	if err := s.Create(ctx, key, []byte("again")); !errors.Is(err, ErrExists) {
		return fmt.Errorf("store %s takes a second exclusive create of one key (%v): it cannot be shared; run `sprint doctor --store URL`", s.url, err)
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
	probes := []struct {
		name string
		try  func(key string) error
	}{
		{"create twice", func(key string) error { return s.probeTwice(ctx, key, []byte("one"), []byte("two")) }},
		{"create race", func(key string) error { return s.probeRace(ctx, key) }},
		{"20 MiB create twice", func(key string) error {
			big := bytes.Repeat([]byte("sprint"), 20<<20/6+1)
			return s.probeTwice(ctx, key, big, append(big, '!'))
		}},
		{"stale swap", func(key string) error { return s.probeSwap(ctx, key) }},
		{"read your write", func(key string) error {
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
		}},
		{"list after write", func(key string) error {
			if err := s.WriteFile(ctx, key, []byte("x")); err != nil {
				return err
			}
			for info, err := range s.List(ctx, key) {
				if err != nil {
					return err
				}
				if info.Key == key {
					return nil
				}
			}
			return errors.New("a list does not show the object just written")
		}},
		{"missing is missing", func(key string) error {
			if _, err := s.Stat(ctx, key); !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("stat of a key never written: %v", err)
			}
			return nil
		}},
	}
	out := make([]ProbeResult, len(probes))
	for i, p := range probes {
		out[i] = ProbeResult{Name: p.name, Err: p.try(fmt.Sprintf("%s%d", base, i))}
	}
	return out
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

func (s *Store) probeRace(ctx context.Context, key string) error {
	for round := range 5 {
		var wins atomic.Int32
		var wg sync.WaitGroup
		var other atomic.Value
		at := fmt.Sprintf("%s-%d", key, round)
		for i := range 8 {
			wg.Go(func() {
				err := s.exclusive(ctx, at, fmt.Appendf(nil, "racer %d", i))
				switch {
				case err == nil:
					wins.Add(1)
				case !errors.Is(err, ErrExists) && !errors.Is(err, ErrTransient):
					other.Store(err)
				}
			})
		}
		wg.Wait()
		if err, ok := other.Load().(error); ok {
			return err
		}
		if wins.Load() > 1 {
			return fmt.Errorf("%d of 8 racers created one key", wins.Load())
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
