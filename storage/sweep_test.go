package storage_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// A sweep that stood still for so long that writers took it for dead deletes
// nothing when it goes on, although nobody has taken its lease.
func TestSweepThatStoodStill(t *testing.T) {
	for pause, want := range map[time.Duration]error{time.Second: nil, 22 * time.Second: storage.ErrHeld} {
		synctest.Test(t, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			var goesOn atomic.Int64 // in nanoseconds; the lease is renewed beside
			s, err := storage.Open(t.Context(), dir, &storage.Options{Around: func(ctx context.Context, _, _ string, call func() error) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Until(time.Unix(0, goesOn.Load()))):
					return call()
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			a, err := s.Put(t.Context(), strings.NewReader("x"), "")
			if err != nil {
				t.Fatal(err)
			}
			sweep, err := s.BeginSweep(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			defer sweep.End(context.WithoutCancel(t.Context()))
			goesOn.Store(time.Now().Add(pause).UnixNano())
			time.Sleep(pause + 10*time.Second) // the lease is renewed by then
			key, err := storage.BlobKey(a.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if err := sweep.Delete(t.Context(), key, 0); !errors.Is(err, want) {
				t.Errorf("after a pause of %s: %v, want %v", pause, err, want)
			}
			if _, err := s.Has(t.Context(), a.Digest); errors.Is(err, storage.ErrNotFound) != (want == nil) {
				t.Errorf("after a pause of %s the blob is there: %v", pause, err)
			}
		})
	}
}

// What is old by the store's clock is marked when it is found, although it is young
// by that of a machine which is behind; what is young by the store's clock is not.
func TestAgesAreTheStoresOwn(t *testing.T) {
	// In the bubble it is the year 2000. The store's clock is that of its disk.
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "store")
		open := func() *storage.Store {
			s, err := storage.Open(t.Context(), dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
		put := func(s *storage.Store, text string) (key string) {
			t.Helper()
			a, err := s.Put(t.Context(), strings.NewReader(text), "")
			if err == nil {
				key, err = storage.BlobKey(a.Digest)
			}
			if err != nil {
				t.Fatal(err)
			}
			return key
		}
		first := open()
		old, young := put(first, "old"), put(first, "young")
		if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(old)), time.Now(), time.Now()); err != nil {
			t.Fatal(err)
		}
		second := open()
		put(second, "old")
		put(second, "young")
		for key, want := range map[string]bool{old: true, young: false} {
			_, err := second.Stat(t.Context(), "kept/"+strings.TrimPrefix(key, "blobs/"))
			if there := err == nil; there != want {
				t.Errorf("a mark of %s is there: %v, want %v", key, there, want)
			}
		}
	})
}

// A deletion that the store holds up ends before writers take the sweep for dead.
func TestSweepEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := storage.Open(t.Context(), filepath.Join(t.TempDir(), "store"), &storage.Options{Around: func(ctx context.Context, op, _ string, call func() error) error {
			if op == "sweep" {
				<-ctx.Done()
				return ctx.Err()
			}
			return call()
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.WriteFile(t.Context(), "probe/x", nil); err != nil {
			t.Fatal(err)
		}
		sweep, err := s.BeginSweep(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer sweep.End(context.WithoutCancel(t.Context()))
		began := time.Now()
		if err := sweep.Delete(t.Context(), "probe/x", 0); !errors.Is(err, storage.ErrTransient) {
			t.Errorf("a deletion that hangs: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
