package jobs_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// layered is a plan of layers x width nodes, each reading two of the layer
// before, with a release at its end.
func layered(layers, width int) string {
	var b strings.Builder
	b.WriteString("name: layered\nstages:\n")
	for l := range layers {
		for w := range width {
			if l == 0 {
				fmt.Fprintf(&b, "  - {name: n0-%d, kind: node, needs: [], with: {makes: a0_%d, text: t%d, pace: 5ms}}\n", w, w, w)
				continue
			}
			v := (w + 1) % width
			fmt.Fprintf(&b, "  - {name: n%d-%d, kind: node, needs: [n%d-%d, n%d-%d], with: {reads: [a%d_%d, a%d_%d], makes: a%d_%d, pace: 5ms}}\n",
				l, w, l-1, w, l-1, v, l-1, w, l-1, v, l, w)
		}
	}
	last := layers - 1
	fmt.Fprintf(&b, "  - {name: end, kind: node, needs: [n%d-0], with: {reads: [a%d_0], makes: end}}\n  - {name: ship}\n", last, last)
	return b.String()
}

// TestManyRunnersOneEffect lets many runners do one plan on one store that
// loses three replies of ten and holds up operations for longer than a lease:
// each stage is committed once, and one release published.
func TestManyRunnersOneEffect(t *testing.T) {
	runners, layers, width := []int{6, 30, 100}[jobstest.Tier], []int{3, 6, 10}[jobstest.Tier], []int{4, 8, 20}[jobstest.Tier]
	seed := rand.Uint64()
	if text := os.Getenv("TOY_SEED"); text != "" { // a replay
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	plan := layered(layers, width)
	dir := t.TempDir()
	url := filepath.Join(dir, "store")
	ttl := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}[jobstest.Tier]
	results := make([]*runs.Result, runners)
	count := &jobstest.Counter{}
	ops := make([]int, runners)
	var wg sync.WaitGroup
	for i := range runners {
		wg.Go(func() {
			text := fmt.Sprintf("delay:%s@0.0005/%d,lost-reply@0.3/%d", 2*ttl, seed+uint64(i), seed+uint64(i))
			injector, err := faults.Open(text)
			if err != nil {
				t.Error(err)
				return
			}
			store, err := storage.Open(t.Context(), url, &storage.Options{Around: injector.Around, Backoff: time.Millisecond, Tries: 14})
			if err != nil {
				t.Error(err)
				return
			}
			defer store.Close()
			b := &jobstest.Bench{T: t, Dir: t.TempDir(), Plan: plan, Count: count, Registry: jobstest.Kinds(count), Ctx: t.Context(), Store: store}
			b.Tweak = func(r *jobs.Runner) { r.TTL, r.Parallel = ttl, 4 }
			res, err := b.Run()
			if err != nil {
				t.Errorf("runner %d, %s=%s: %v", i, faults.Env, text, err)
				return
			}
			if res.Code != 0 {
				t.Errorf("runner %d, %s=%s: code %d: %s", i, faults.Env, text, res.Code, res.Error)
			}
			results[i], ops[i] = res, len(injector.Ops())
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	stages := layers*width + 2
	for i, r := range results {
		if d := cmp.Diff(jobstest.Digests(results[0]), jobstest.Digests(r)); d != "" {
			t.Errorf("seed %d: runners 0 and %d disagree: %s", seed, i, d)
		}
	}
	store, err := storage.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	found := manifests(t, store)
	for key, n := range found {
		if n != 1 {
			t.Errorf("seed %d: %d manifests of %s", seed, n, key)
		}
	}
	if len(found) != stages {
		t.Errorf("seed %d: %d committed, want %d", seed, len(found), stages)
	}
	if all, err := models.In(store).Releases(t.Context(), "toy"); err != nil || len(all) != 1 {
		t.Errorf("seed %d: %d releases, %v", seed, len(all), err)
	}
	total, began := 0, 0
	for _, n := range ops {
		total += n
	}
	for _, n := range count.N {
		began += n
	}
	t.Logf("seed %d: %d runners, %d stages, %d operations; %d stages begun, %d of them twice by a pause", seed, runners, stages, total, began, began-stages)
}

// TestReadersSeeWholeResults lets readers spin while runs write: whatever they
// see is whole.
func TestReadersSeeWholeResults(t *testing.T) {
	runs := []int{6, 50, 1000}[jobstest.Tier]
	url := filepath.Join(t.TempDir(), "store")
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := w; i < runs; i += 2 {
				got, err := runSix(t.Context(), t.TempDir(), url, faults.New(nil), func(b *jobstest.Bench) { b.Set = []string{fmt.Sprintf("make.text=r%d", i)} })
				if err != nil || got.Code != 0 {
					t.Errorf("run %d: %d %s, %v", i, got.Code, got.Error, err)
					return
				}
			}
		})
	}
	reads := make([]int, 4)
	for r := range reads {
		readers.Go(func() {
			store, err := storage.Open(t.Context(), url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer store.Close()
			random := rand.New(rand.NewPCG(uint64(r), 1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				n, err := readAll(t, store, random)
				if err != nil {
					t.Errorf("reader %d: %v", r, err)
					return
				}
				reads[r] += n
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	total := 0
	for _, n := range reads {
		total += n
	}
	t.Logf("%d runs, %d objects read whole by %d readers", runs, total, len(reads))
	if total == 0 {
		t.Error("the readers read nothing")
	}
}

// readAll reads some of what a store shows: manifests with all their outputs,
// ends of runs, the newest release.
func readAll(t *testing.T, s *storage.Store, random *rand.Rand) (n int, err error) {
	ctx := t.Context()
	for _, kind := range []string{"make", "refine", "join", "slow", "ship"} {
		newest := map[string]storage.Manifest{}
		for m, err := range s.History(ctx, kind) {
			if err != nil {
				return n, err
			}
			newest[m.Key] = m
		}
		n += len(newest)
		for _, m := range newest {
			if random.IntN(4) != 0 {
				continue
			}
			for _, a := range m.Outputs {
				r, err := s.Get(ctx, a.Digest, a.Size)
				if err != nil {
					return n, err
				}
				size, err := io.Copy(io.Discard, r)
				r.Close()
				if err != nil || size != a.Size {
					return n, fmt.Errorf("output %s of %s: %d bytes, %w", a.Name, m.Stage, size, err)
				}
				n++
			}
		}
	}
	ids, err := runs.List(ctx, s, 3)
	if err != nil {
		return n, err
	}
	for _, id := range ids {
		if r, err := runs.LoadRecord(ctx, s, id); err == nil {
			if len(r.Stages) != 6 || r.Code != 0 {
				return n, fmt.Errorf("run %s: %+v", id, r)
			}
			n++
		} else if !errors.Is(err, storage.ErrNotFound) {
			return n, err
		}
	}
	r, err := models.In(s).Release(ctx, "toy", "latest")
	if errors.Is(err, storage.ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	return n + 1, s.FetchTree(ctx, r.Files, t.TempDir())
}
