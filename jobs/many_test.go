package jobs_test

import (
	"context"
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
	"github.com/sprint-ml/sprint/storage/storagetest/history"
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

// manyRunners are runners that do one plan on one store at the same time, which
// loses replies and holds up operations for longer than a lease.
type manyRunners struct {
	seed    uint64
	plan    string
	ttl     time.Duration
	runners int
	delays  float64
	plant   history.Plant // of the first runner, on the leases of nodes

	url     string
	results []*runs.Result
	count   jobstest.Counter
	ops     []int
	history *history.Recorder
}

// run runs them all to their ends, and reports whether each one's plan is done.
func (m *manyRunners) run(t *testing.T) bool {
	m.url = filepath.Join(t.TempDir(), "store")
	m.history, m.results, m.ops = history.New(m.url), make([]*runs.Result, m.runners), make([]int, m.runners)
	var wg sync.WaitGroup
	for i := range m.runners {
		wg.Go(func() {
			text := fmt.Sprintf("delay:%s@%g/%d,lost-reply@0.3/%d", 2*m.ttl, m.delays, m.seed+uint64(i), m.seed+uint64(i))
			injector, err := faults.Open(text)
			if err != nil {
				t.Error(err)
				return
			}
			client := m.history.Client(fmt.Sprint("runner ", i), m.ttl)
			if i == 0 && m.plant != "" {
				client.Plant(m.plant, "leases/node/")
			}
			store, err := storage.Open(t.Context(), m.url, &storage.Options{Backoff: time.Millisecond, Tries: 14, Around: func(ctx context.Context, op, key string, call func() error) error {
				return injector.Around(ctx, op, key, func() error { return client.Around(ctx, op, key, call) })
			}})
			if err != nil {
				t.Error(err)
				return
			}
			defer store.Close()
			b := &jobstest.Bench{T: t, Dir: t.TempDir(), Plan: m.plan, Count: &m.count, Registry: jobstest.Kinds(&m.count), Ctx: t.Context(), Store: store}
			b.Tweak = func(r *jobs.Runner) { r.TTL, r.Parallel = m.ttl, 4 }
			res, err := b.Run()
			if err != nil {
				t.Errorf("runner %d, %s=%s: %v", i, faults.Env, text, err)
				return
			}
			if res.Code != 0 {
				t.Errorf("runner %d, %s=%s: code %d: %s", i, faults.Env, text, res.Code, res.Error)
			}
			m.results[i], m.ops[i] = res, len(injector.Ops())
		})
	}
	wg.Wait()
	return !t.Failed()
}

// TestManyRunnersOneEffect lets many runners do one plan on one store that
// loses three replies of ten and holds up operations for longer than a lease:
// each stage is committed once, and one release published. No lease is taken
// before its time.
func TestManyRunnersOneEffect(t *testing.T) {
	layers, width := []int{3, 6, 10}[jobstest.Tier], []int{4, 8, 20}[jobstest.Tier]
	seed := rand.Uint64()
	if text := os.Getenv("TOY_SEED"); text != "" { // a replay
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	m := &manyRunners{
		seed: seed, plan: layered(layers, width), runners: []int{6, 30, 100}[jobstest.Tier], delays: 0.0005,
		ttl: []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}[jobstest.Tier],
	}
	if !m.run(t) {
		return
	}
	stages := layers*width + 2
	for i, r := range m.results {
		if d := cmp.Diff(jobstest.Digests(m.results[0]), jobstest.Digests(r)); d != "" {
			t.Errorf("seed %d: runners 0 and %d disagree: %s", seed, i, d)
		}
	}
	if err := m.history.Check(); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	store, err := storage.Open(t.Context(), m.url, nil)
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
	for _, n := range m.ops {
		total += n
	}
	for _, n := range m.count.N {
		began += n
	}
	leases, aliases := m.history.Writes()
	t.Logf("seed %d: %d runners, %d stages, %d operations; %d stages begun, %d of them twice by a pause; %d writes to leases, %d to aliases", seed, m.runners, stages, total, began, began-stages, leases, aliases)
}

// TestManyRunnersFindsAThief: among many runners the history shows one that takes
// leases without looking who holds them, although all outputs are right.
func TestManyRunnersFindsAThief(t *testing.T) {
	for range 5 { // the thief may come first everywhere
		m := &manyRunners{seed: rand.Uint64(), plan: layered(2, 4), runners: 3, ttl: 5 * time.Second, plant: history.WithoutLooking}
		if !m.run(t) {
			return
		}
		if err := m.history.Check(); err != nil {
			t.Logf("found: %v", err)
			return
		}
	}
	t.Error("the history shows nothing")
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
