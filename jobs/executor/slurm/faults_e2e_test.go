//go:build e2e && linux

package slurm_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// listener keeps what an attempt reports.
type listener struct {
	mu  sync.Mutex
	all strings.Builder
	at  string // the node
}

func (l *listener) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.all, format+"\n", args...)
}

func (l *listener) Progress(p stages.Progress)    { l.add("progress %d", p.Done) }
func (l *listener) Log(_ slog.Level, text string) { l.add("%s", text) }
func (l *listener) String() string                { l.mu.Lock(); defer l.mu.Unlock(); return l.all.String() }
func (l *listener) node() string                  { l.mu.Lock(); defer l.mu.Unlock(); return l.at }
func (l *listener) Note(name string, value any) {
	l.add("note %s %v", name, value)
	if name == "node" {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.at = fmt.Sprint(value)
	}
}

// work is an attempt of nine pieces with a checkpoint after each, at work on a cluster.
type work struct {
	*listener
	store   *storage.Store
	attempt *runs.Attempt
	e       *remote.Executor
	done    chan executor.Outcome
}

func begin(t *testing.T, b *bench, pace time.Duration) *work {
	t.Helper()
	store, err := storage.Open(t.Context(), filepath.Join(t.TempDir(), "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	options, err := json.Marshal(&jobstest.Options{Text: "x", Times: 9, Pace: pace, Keep: true, End: "done"})
	if err != nil {
		t.Fatal(err)
	}
	w := &work{listener: &listener{}, store: store, done: make(chan executor.Outcome, 1)}
	w.attempt = &runs.Attempt{
		Run: "20260102-030405-00012345", Plan: "faults", Stage: "stage", Number: 1, Kind: "slow", Key: strings.Repeat("ab", 32), Generation: 1,
		Preimage: json.RawMessage(`{}`), Options: options, Device: "auto", CacheDir: t.TempDir(), Version: "test",
	}
	if err := runs.SaveAttempt(t.Context(), store, w.attempt); err != nil {
		t.Fatal(err)
	}
	e := executortest.Remote(t, b.Provider, store)
	e.Resources = func(*runs.Attempt) executor.Resources { return executor.Resources{CPUs: 2} }
	w.e = e
	w.start()
	return w
}

// start executes the attempt.
func (w *work) start() {
	go func() { w.done <- w.e.Execute(context.Background(), w.attempt, w) }()
}

// tryAgain makes the next attempt, as a runner does after a loss.
func (w *work) tryAgain(t *testing.T) {
	t.Helper()
	next := *w.attempt
	next.Number++
	w.attempt = &next
	if err := runs.SaveAttempt(t.Context(), w.store, w.attempt); err != nil {
		t.Fatal(err)
	}
	w.start()
}

// lost waits for an end of that cause.
func (w *work) lost(t *testing.T, cause executor.Cause, word string) {
	t.Helper()
	o := w.outcome(t, time.Minute)
	if o.State != runs.Lost || o.Cause != cause || o.Err == nil || !strings.Contains(o.Err.Error(), word) {
		t.Fatalf("outcome %+v, want a loss by %s: %s\n%s", o, cause, word, w)
	}
}

// outcome waits for the end.
func (w *work) outcome(t *testing.T, limit time.Duration) executor.Outcome {
	t.Helper()
	select {
	case o := <-w.done:
		return o
	case <-time.After(limit):
		t.Fatalf("no end in %s:\n%s", limit, w)
		return executor.Outcome{}
	}
}

// pieces are the numbers of those that were made, in order.
func (w *work) pieces() (all []string) {
	for line := range strings.Lines(w.String()) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "progress "); ok {
			all = append(all, n)
		}
	}
	return all
}

// once checks that the work was done, and again only what was being made at each fault;
// what a worker said last before it was killed may be lost.
func (w *work) once(t *testing.T, o executor.Outcome, faults int) {
	t.Helper()
	if o.State != runs.Succeeded || o.Manifest == nil {
		t.Fatalf("outcome %+v\n%s", o, w)
	}
	pieces := w.pieces()
	if n := len(pieces); n < 9-faults || n > 9+faults || len(slices.Compact(slices.Sorted(slices.Values(pieces)))) < 9-faults {
		t.Errorf("pieces %v\n%s", pieces, w)
	}
	made, _ := o.Manifest.Output("end")
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte("end:xxxxxxxxx"))); !strings.HasSuffix(made.Digest, want) {
		t.Errorf("made %s, want %s", made.Digest, want)
	}
}

// TestFaults: whatever happens to a cluster, the work is done once, from its checkpoint.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := slurmtest.Start(t, slurmtest.Options{})
	b := newBench(t, c)
	t.Run("preempted", func(t *testing.T) {
		w := begin(t, b, 500*time.Millisecond)
		c.Await(30*time.Second, "the second piece", func() bool { return len(w.pieces()) >= 2 })
		c.Run("sbatch", "--output=/dev/null", "--partition=urgent", "--nodes=3", "--ntasks=3", "--cpus-per-task=2", "--wrap=sleep 3")
		w.lost(t, executor.CauseInterruption, "PREEMPTED")
		w.tryAgain(t)
		w.once(t, w.outcome(t, time.Minute), 1)
	})
	t.Run("controller forgets", func(t *testing.T) {
		w := begin(t, b, time.Second)
		c.Await(30*time.Second, "its start", func() bool { return w.node() != "" })
		c.KillController()
		time.Sleep(2 * time.Second)
		c.StartController()
		o := w.outcome(t, 2*time.Minute)
		t.Logf("%s; %s", o.State, c.Said("Registered PENDING|_start_job|Killing|Requeu|Purged"))
		if o.State == runs.Lost {
			// The worker of a job that was forgotten says what nobody hears until it is told.
			w.tryAgain(t)
			if o = w.outcome(t, time.Minute); o.State != runs.Succeeded {
				t.Errorf("outcome %+v\n%s", o, w)
			}
			return
		}
		w.once(t, o, 1)
	})
	t.Run("node lost", func(t *testing.T) {
		w := begin(t, b, time.Second)
		c.Await(30*time.Second, "the second piece", func() bool { return len(w.pieces()) >= 2 && w.node() != "" })
		node := c.NodeNumber(w.node())
		c.KillNode(node)
		began := time.Now()
		c.Await(60*time.Second, "the cluster to notice", func() bool { return strings.Contains(c.Try("sinfo", "-h", "-N", "-o", "%t"), "down") })
		noticed := time.Now()
		w.lost(t, executor.CauseMachine, "NODE_FAIL")
		w.tryAgain(t)
		w.once(t, w.outcome(t, time.Minute), 1)
		t.Logf("noticed after %s, done %s later", noticed.Sub(began), time.Since(noticed))
		c.StartNode(node)
	})
	if left := c.Jobs(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// sixPlan has six stages that need nothing from each other.
const sixPlan = `name: six
stages:
  - {name: a, kind: slow, needs: [], with: {text: a, times: 4, pace: 300ms, keep: true}}
  - {name: b, kind: slow, needs: [], with: {text: b, times: 4, pace: 300ms, keep: true}}
  - {name: c, kind: slow, needs: [], with: {text: c, times: 4, pace: 300ms, keep: true}}
  - {name: d, kind: slow, needs: [], with: {text: d, times: 4, pace: 300ms, keep: true}}
  - {name: e, kind: slow, needs: [], with: {text: e, times: 4, pace: 300ms, keep: true}}
  - {name: f, kind: slow, needs: [], with: {text: f, times: 4, pace: 300ms, keep: true}}
`

// TestSixStages: six stages on three GPUs wait for each other, end, and make what they
// make here; a runner that comes later finds all done.
func TestSixStages(t *testing.T) {
	t.Parallel()
	c := slurmtest.Start(t, slurmtest.Options{})
	b := newBench(t, c)
	here := jobstest.NewBench(t, sixPlan)
	want := jobstest.Digests(here.MustRun(0, "succeeded succeeded succeeded succeeded succeeded succeeded"))
	there := jobstest.NewBench(t, sixPlan)
	there.Tweak = func(r *jobs.Runner) {
		e := executortest.Remote(t, b.Provider, there.Store)
		e.Resources = func(*runs.Attempt) executor.Resources { return executor.Resources{GPUs: 1, GPUType: "h100"} }
		r.Executor, r.Parallel = e, 6
	}
	stop, most := make(chan struct{}), 0
	var counting sync.WaitGroup
	counting.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				most = max(most, strings.Count(c.Try("squeue", "-h", "-t", "running"), "\n"))
			}
		}
	})
	res := there.MustRun(0, "succeeded succeeded succeeded succeeded succeeded succeeded")
	close(stop)
	counting.Wait()
	if got := jobstest.Digests(res); !maps.Equal(got, want) || len(got) == 0 {
		t.Errorf("made %v there, %v here", got, want)
	}
	if most != 3 {
		t.Errorf("%d jobs ran at once on three GPUs", most)
	}
	there.MustRun(0, "cached cached cached cached cached cached")
	if logs, _ := filepath.Glob(filepath.Join(b.o.Folder, "logs", "*")); len(logs) > 0 {
		t.Errorf("%v are left", logs)
	}
	if _, err := os.Stat(filepath.Join(b.o.Folder, "programs")); err != nil {
		t.Error(err)
	}
}
