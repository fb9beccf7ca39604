package history_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
	"github.com/sprint-ml/sprint/storage/storagetest/history"
	"github.com/sprint-ml/sprint/storage/storagetest/inmemory"
)

func TestMain(m *testing.M) { os.Exit(inmemory.Run(m)) }

// around is storage.Options.Around.
type around func(ctx context.Context, op, key string, call func() error) error

func open(t *testing.T, dir string, f around) *storage.Store {
	t.Helper()
	s, err := storage.Open(t.Context(), dir, &storage.Options{Around: f, Backoff: time.Millisecond, Tries: 14})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// publish makes releases 1 to n of the model toy.
func publish(t *testing.T, s *storage.Store, n int) {
	t.Helper()
	for i := range n {
		a, err := s.Put(t.Context(), strings.NewReader(fmt.Sprint(i)), "")
		if err == nil {
			var tree storage.Artifact
			if tree, err = s.PutTree(t.Context(), []storage.TreeEntry{{Path: "model", Digest: a.Digest, Size: a.Size}}); err == nil {
				_, err = models.In(s).Publish(t.Context(), "toy", tree, nil)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestAliases: many who move an alias over a store that loses replies replace only
// what they have seen.
func TestAliases(t *testing.T) {
	const clients, moves, releases = 6, 12, 3
	dir, seed := filepath.Join(t.TempDir(), "store"), rand.Uint64()
	publish(t, open(t, dir, nil), releases)
	recorder := history.New(dir)
	var wg sync.WaitGroup
	for i := range clients {
		injector := faults.New(faults.Every(seed+uint64(i), 0.2, faults.LostReply))
		client := recorder.Client(fmt.Sprint("client ", i), time.Second)
		registry := models.In(open(t, dir, func(ctx context.Context, op, key string, call func() error) error {
			return injector.Around(ctx, op, key, func() error { return client.Around(ctx, op, key, call) })
		}))
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for range moves {
				seen, err := registry.AliasVersion(t.Context(), "toy", "latest")
				if err == nil && random.IntN(2) == 0 {
					_, err = registry.AdvanceAlias(t.Context(), "toy", "latest", 1+random.IntN(releases), seen, models.Reason{})
				} else if err == nil {
					err = registry.SetAlias(t.Context(), "toy", "latest", 1+random.IntN(releases))
				}
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	wg.Wait()
	if err := recorder.Check(); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	if _, writes := recorder.Writes(); writes < clients {
		t.Errorf("%d moves are no history", writes)
	}
}

// TestAliasWithoutCompare: a client that moves an alias whatever it names by then
// is found.
func TestAliasWithoutCompare(t *testing.T) {
	for _, plant := range []history.Plant{"", history.WithoutCompare} {
		dir := filepath.Join(t.TempDir(), "store")
		recorder := history.New(dir)
		good := models.In(open(t, dir, recorder.Client("good", time.Second).Around))
		publish(t, open(t, dir, nil), 3)
		if err := good.SetAlias(t.Context(), "toy", "latest", 1); err != nil {
			t.Fatal(err)
		}
		bad := recorder.Client("bad", time.Second).Plant(plant, "models/")
		var once sync.Once
		slow := models.In(open(t, dir, func(ctx context.Context, op, key string, call func() error) error {
			if op == "swap" { // it has read the alias by now
				once.Do(func() {
					if err := good.SetAlias(t.Context(), "toy", "latest", 2); err != nil {
						t.Error(err)
					}
				})
			}
			return bad.Around(ctx, op, key, call)
		}))
		if err := slow.SetAlias(t.Context(), "toy", "latest", 3); err != nil {
			t.Fatal(err)
		}
		found(t, recorder, plant, "it replaces a state that its client has not seen")
	}
}

// TestLeaseTaken: a lease that is taken before its time is found, whichever way.
func TestLeaseTaken(t *testing.T) {
	const ttl = 12 * time.Second
	for plant, want := range map[history.Plant]string{
		"":                     "",
		history.WithoutLooking: "it replaces a state that its client has not seen",
		history.WithoutCompare: "it replaces a state that its client has not seen",
		"impatient":            "it is taken from its holder after 8s, within the ttl of 12s",
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			recorder := history.New(dir)
			one := open(t, dir, recorder.Client("one", ttl).Around)
			client := recorder.Client("two", ttl).Plant(plant, "leases/")
			var held *storage.Lease
			defer func() { held.Release(t.Context()) }()
			hold := sync.OnceFunc(func() {
				var err error
				if held, err = one.Acquire(t.Context(), "make/x", storage.Holder{Host: "one"}, 3*ttl, ""); err != nil {
					t.Error(err)
				}
			})
			if plant != history.WithoutCompare {
				hold()
			}
			two := open(t, dir, func(ctx context.Context, op, key string, call func() error) error {
				if op == "create" { // it has found the lease free by now
					hold()
				}
				return client.Around(ctx, op, key, call)
			})
			version := ""
			if plant == "impatient" {
				l, err := two.Lease(t.Context(), "make/x")
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(8 * time.Second)
				version = l.Version
			}
			l, err := two.Acquire(t.Context(), "make/x", storage.Holder{Host: "two"}, ttl, version)
			if (err == nil) != (plant != "") {
				t.Fatalf("%q: acquire: %v", plant, err)
			}
			if err == nil {
				defer l.Release(t.Context())
			}
			if err := recorder.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q: found %v, want %q", plant, err, want)
			}
		})
	}
}

func found(t *testing.T, r *history.Recorder, plant history.Plant, want string) {
	t.Helper()
	err := r.Check()
	if plant == "" && err != nil {
		t.Errorf("without a mistake: %v", err)
	}
	if plant != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: found %v, want %q", plant, err, want)
	}
}
