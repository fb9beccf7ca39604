package storage_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
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
			goesOn := time.Now()
			s, err := storage.Open(t.Context(), dir, &storage.Options{Around: func(ctx context.Context, _, _ string, call func() error) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Until(goesOn)):
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
			goesOn = time.Now().Add(pause)
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
