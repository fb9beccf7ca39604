package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

func testCreate(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	_, _, err := s.Read(ctx, "c/a")
	want(t, err, storage.ErrNotFound, "c/a")
	check(t, s.Create(ctx, "c/a", []byte("one")))
	want(t, second(t, s).Create(ctx, "c/a", []byte("two")), storage.ErrExists, "create c/a")
	want(t, s.Create(ctx, "c/a", []byte("one")), storage.ErrExists) // equal bytes are another's all the same
	body, version, err := second(t, s).Read(ctx, "c/a")
	if err != nil || string(body) != "one" || version == "" {
		t.Errorf("read %q, version %q, %v", body, version, err)
	}
	check(t, s.Create(ctx, "c/empty", nil))
	if body, _, err := s.Read(ctx, "c/empty"); err != nil || len(body) != 0 {
		t.Errorf("read %q, %v", body, err)
	}
	check(t, s.WriteFile(ctx, "c/big", make([]byte, 5000)))
	_, err = s.ReadFile(ctx, "c/big", 4999)
	want(t, err, storage.ErrCorrupt, "c/big")
}

// race lets 8 goroutines on two handles create each of n keys and demands one
// winner each, whose body is what is read.
func race(t *testing.T, n int, handles ...*storage.Store) {
	ctx := testContext(t)
	for k := range n {
		key := fmt.Sprintf("race/%03d", k)
		var wins atomic.Int32
		var winner atomic.Int64
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range 8 {
			wg.Go(func() {
				<-start
				err := handles[i%len(handles)].Create(ctx, key, []byte(strconv.Itoa(i)))
				switch {
				case err == nil:
					wins.Add(1)
					winner.Store(int64(i))
				case !errors.Is(err, storage.ErrExists):
					t.Errorf("%s: racer %d: %v", key, i, err)
				}
			})
		}
		close(start)
		wg.Wait()
		body, _, err := handles[0].Read(ctx, key)
		if wins.Load() != 1 || err != nil || string(body) != strconv.FormatInt(winner.Load(), 10) {
			t.Fatalf("%s: %d winners, the last %d; the record says %q, %v", key, wins.Load(), winner.Load(), body, err)
		}
	}
}

func testCreateRace(t *testing.T, h Harness) {
	s := h.Open(t, nil)
	race(t, 40, s, second(t, s))
}

// testCreateLostReply: with a third of all replies lost each key still has
// exactly one owner who knows.
func testCreateLostReply(t *testing.T, h Harness) {
	const seed = 11
	injector := faults.New(faults.Every(seed, 0.3, faults.LostReply))
	s := h.Open(t, &storage.Options{Backoff: time.Microsecond, Tries: 30, Around: injector.Around})
	race(t, 40, s)
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
	// Whose record it is that exists nobody knows who cannot read it back.
	s = h.Open(t, &storage.Options{Backoff: time.Microsecond, Around: func(_ context.Context, op, key string, call func() error) error {
		err := call()
		if key == "signed" { // it is asked for before the first write
			return err
		}
		if op == "read" || err == nil {
			return errors.New("the reply is lost")
		}
		return err
	}})
	err := s.Create(testContext(t), "lost/a", []byte("one"))
	want(t, err, storage.ErrTransient, "lost/a")
	if errors.Is(err, storage.ErrExists) {
		t.Errorf("the winner of a create whose reply was lost is told that it lost: %v", err)
	}
}

func testSwap(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	_, err := s.Swap(ctx, "s/none", "1", []byte("x"))
	want(t, err, storage.ErrStale, "s/none")
	v1, err := s.Swap(ctx, "s/a", "", []byte("one"))
	check(t, err)
	_, err = s.Swap(ctx, "s/a", "", []byte("two"))
	want(t, err, storage.ErrStale)
	v2, err := second(t, s).Swap(ctx, "s/a", v1, []byte("two"))
	check(t, err)
	_, err = s.Swap(ctx, "s/a", v1, []byte("three"))
	want(t, err, storage.ErrStale, "swap s/a")
	body, version, err := s.Read(ctx, "s/a")
	if err != nil || string(body) != "two" || version != v2 || v1 == v2 {
		t.Errorf("read %q at %q, %v; versions were %q, %q", body, version, err, v1, v2)
	}
	v3, err := s.Swap(ctx, "s/a", v2, []byte("two")) // equal bodies are different versions
	check(t, err)
	_, err = s.Swap(ctx, "s/a", v2, []byte("four"))
	want(t, err, storage.ErrStale)
	if v3 == v2 {
		t.Error("the version did not change")
	}
}

// testSwapRace: 8 goroutines add 10 to a counter each.
func testSwapRace(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	handles := []*storage.Store{s, second(t, s)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := handles[i%2]
			for range 10 {
				for {
					body, version, err := s.Read(ctx, "counter")
					if err != nil && !errors.Is(err, storage.ErrNotFound) {
						t.Error(err)
						return
					}
					n, _ := strconv.Atoi(string(body)) // none yet: 0
					_, err = s.Swap(ctx, "counter", version, []byte(strconv.Itoa(n+1)))
					if err == nil {
						break
					}
					if !errors.Is(err, storage.ErrStale) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	body, _, err := s.Read(ctx, "counter")
	if err != nil || string(body) != "80" {
		t.Errorf("the counter is %q, %v; want 80", body, err)
	}
}

// testRecordCorrupt damages every byte of a record.
func testRecordCorrupt(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, nil)
	check(t, s.Create(ctx, "r/a", []byte("body of a record")))
	good, err := s.ReadFile(ctx, "r/a", 1<<20)
	check(t, err)
	bad := [][]byte{nil, good[:len(good)-1], append(bytes.Clone(good), 'x'), []byte("x")}
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1
		bad = append(bad, flipped)
	}
	for i, data := range bad {
		check(t, s.WriteFile(ctx, "r/a", data))
		body, version, err := s.Read(ctx, "r/a")
		if err == nil {
			t.Fatalf("damage %d is read as %q", i, body)
		}
		want(t, err, storage.ErrCorrupt, "r/a")
		if version == "" {
			t.Fatalf("damage %d: a corrupt record without a version cannot be replaced", i)
		}
	}
	check(t, s.WriteFile(ctx, "r/b", good))
	_, _, err = s.Read(ctx, "r/b")
	want(t, err, storage.ErrCorrupt, "r/b", "another key")
	check(t, s.WriteFile(ctx, "r/a", []byte("broken")))
	want(t, s.Create(ctx, "r/a", nil), storage.ErrExists)
	_, version, err := s.Read(ctx, "r/a")
	want(t, err, storage.ErrCorrupt)
	_, err = s.Swap(ctx, "r/a", version, []byte("whole"))
	check(t, err)
	if body, _, err := s.Read(ctx, "r/a"); err != nil || string(body) != "whole" {
		t.Errorf("after the swap: %q, %v", body, err)
	}
}
