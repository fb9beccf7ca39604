package jobs_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// TestMain lets the test binary play the parts of other processes: the worker
// that an executor starts, and a whole runner that a test may kill.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "worker":
			os.Exit(playWorker(os.Args[2:]))
		case "play-scratch":
			os.Exit(playScratch())
		case "play-runner":
			os.Exit(playRunner(os.Args[2]))
		case "play-random":
			os.Exit(playRandom(os.Args[2], os.Args[3]))
		case "play-six":
			os.Exit(playSix(os.Args[2], os.Args[3]))
		}
	}
	if tier > 0 { // on a disk
		os.Exit(m.Run())
	}
	os.Exit(storagetest.RunInMemory(m))
}

// workerFaults holds the faults of a worker's first attempt.
const workerFaults = "TOY_WORKER_FAULTS"

func noSecret(string) (string, error) { return "", nil }

func playWorker(args []string) int {
	var o executor.WorkerOptions
	var url string
	f := flag.NewFlagSet("worker", flag.ContinueOnError)
	f.StringVar(&url, "store", "", "")
	f.StringVar(&o.Run, "run", "", "")
	f.StringVar(&o.Stage, "stage", "", "")
	f.IntVar(&o.Attempt, "attempt", 0, "")
	f.StringVar(&o.Digest, "digest", "", "")
	f.BoolVar(&o.Preflight, "preflight", false, "")
	if err := f.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	options := &storage.Options{}
	if text := os.Getenv(workerFaults); text != "" && o.Attempt == 1 {
		injector, err := faults.Open(text)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		if f, err := os.Create(os.Getenv("TOY_WORKER_OPS")); err == nil {
			injector.Log = f
		}
		options.Around = injector.Around
	}
	store, err := storage.Open(ctx, url, options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	c := &counter{before: func(_ string, attempt int) {
		fmt.Println("a line that is no message")
		if os.Getenv("TOY_DEAF") != "" {
			time.Sleep(10 * time.Minute) // it hears no signal
		}
		if file := os.Getenv("TOY_KILL_ONCE"); file != "" && attempt == 1 {
			p, _ := os.FindProcess(os.Getpid())
			_ = p.Kill()
			time.Sleep(time.Minute)
		}
	}}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		os.Exit(1)
	}()
	if tampers := os.Getenv(attemptTampers); tampers != "" && (tampers == "preflight") == o.Preflight {
		if err := tamper(ctx, store, o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 4
		}
	}
	return int(executor.Work(ctx, store, toys(c), o, noSecret, os.Stdout))
}

// attemptTampers names what a worker's record is changed before, preflight or
// work, as somebody else who writes to the store could.
const attemptTampers = "TOY_ATTEMPT_TAMPERS"

// tamper puts another valid record in the place of an attempt's.
func tamper(ctx context.Context, store *storage.Store, o executor.WorkerOptions) error {
	key := fmt.Sprintf("runs/%s/attempts/%s/%d.json", o.Run, o.Stage, o.Attempt)
	body, version, err := store.Read(ctx, key)
	if err != nil {
		return err
	}
	_, err = store.Swap(ctx, key, version, bytes.Replace(body, []byte(`"version":"`), []byte(`"version":"other `), 1))
	return err
}

// TestForeignAttempt: a worker does not begin what its runner did not store.
func TestForeignAttempt(t *testing.T) {
	for when, states := range map[string]string{"preflight": "skipped skipped skipped failed", "work": "succeeded succeeded succeeded failed"} {
		b := newBench(t, toyPlan)
		b.local = func(l *local.Executor) {
			l.Program = os.Args[0]
			l.Environ = append(os.Environ(), attemptTampers+"="+when)
		}
		res := b.mustRun(9, states)
		if e := res.Stages[3].Error; !strings.Contains(e, "not as its runner stored it") {
			t.Errorf("%s: the error is %q", when, e)
		}
		for _, e := range b.seen.events {
			if e.Stage == "slow" && e.Message == "a line that is no message" {
				t.Errorf("%s: the stage began", when)
			}
		}
	}
}

// playRunner runs the toy plan of a folder with its own store.
func playRunner(dir string) int {
	t := &testing.B{}
	b := &bench{t: t, dir: dir, plan: toyPlan, count: &counter{}, ctx: context.Background(), set: []string{"make.pace=2ms", "refine.times=5", "refine.pace=2ms", "join.pace=2ms"}}
	b.reg = toys(b.count)
	var err error
	if b.store, err = storage.Open(b.ctx, filepath.Join(dir, "store"), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	b.local = func(l *local.Executor) { l.Program = os.Args[0] }
	res, err := b.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	fmt.Println(digests(res), stateWords(res))
	if res.Code != 0 {
		fmt.Fprintln(os.Stderr, res.Error)
	}
	return int(res.Code)
}

func TestIsolatedStageRunsInAChild(t *testing.T) {
	b := newBench(t, toyPlan)
	b.local = func(l *local.Executor) { l.Program = os.Args[0] }
	res := b.mustRun(0, "succeeded succeeded succeeded succeeded")
	if b.count.n["slow"] != 0 {
		t.Error("the isolated stage ran in this process")
	}
	if res.Stages[3].Device != "toy" {
		t.Errorf("the child's note did not arrive: %+v", res.Stages[3])
	}
	progress, line := false, false
	for _, e := range b.seen.events {
		progress = progress || e.Stage == "slow" && e.Progress != nil && e.Progress.Done == 1
		line = line || e.Stage == "slow" && e.Message == "a line that is no message"
	}
	if !progress || !line {
		t.Errorf("progress relayed: %v, plain output relayed: %v", progress, line)
	}
	b.mustRun(0, "cached cached cached cached")
}

func TestKilledChildIsTriedAgain(t *testing.T) {
	b := newBench(t, toyPlan)
	b.local = func(l *local.Executor) {
		l.Program = os.Args[0]
		l.Environ = append(os.Environ(), "TOY_KILL_ONCE=1")
	}
	res := b.mustRun(0, "succeeded succeeded succeeded succeeded")
	if res.Stages[3].Attempt != 2 {
		t.Errorf("the stage succeeded in attempt %d", res.Stages[3].Attempt)
	}
}

func TestFailureOfAChildKeepsItsCode(t *testing.T) {
	for end, want := range map[string]struct {
		code stages.Code
		hint string
	}{"fail": {11, "give it more"}, "verdict": {5, "train more"}, "panic": {1, ""}} {
		b := newBench(t, toyPlan)
		b.local = func(l *local.Executor) { l.Program = os.Args[0] }
		b.set = []string{"slow.end=" + end}
		res := b.mustRun(want.code, "succeeded succeeded succeeded failed")
		if want.hint != "" && res.Hint != want.hint {
			t.Errorf("%s: hint %q", end, res.Hint)
		}
	}
}

func TestInterruptReachesTheChild(t *testing.T) {
	b := newBench(t, toyPlan)
	b.set = []string{"slow.pace=100ms", "slow.times=9"}
	ctx, cancel := context.WithCancel(t.Context())
	b.ctx = ctx
	b.local = func(l *local.Executor) { l.Program = os.Args[0] }
	b.tweak = func(r *jobs.Runner) {
		r.Observer = observe(func(e runs.Event) {
			if e.Stage == "slow" && e.Progress != nil {
				cancel()
			}
		})
	}
	b.mustRun(75, "succeeded succeeded succeeded interrupted")
	b.ctx, b.tweak, b.set[0] = t.Context(), nil, "slow.pace=0s"
	e, err := evaluate.Evaluator{Store: b.store}.Evaluate(b.ctx, b.graph())
	if err != nil || !e.Decisions["slow"].Resumable {
		t.Errorf("no checkpoint of the child: %+v, %v", e.Decisions["slow"], err)
	}
	b.mustRun(0, "cached cached cached succeeded")
}

type observe func(runs.Event)

func (f observe) Observe(e runs.Event) { f(e) }

// A runner killed at any moment and started again ends with the digests of a
// run that nobody disturbed.
func TestKillAndRunAgain(t *testing.T) {
	whole := t.TempDir()
	start := time.Now()
	want, err := exec.Command(os.Args[0], "play-runner", whole).Output()
	if err != nil {
		t.Fatal(err)
	}
	span := time.Since(start)
	digestsOf := func(out []byte) string { s, _, _ := strings.Cut(string(out), "]"); return s }
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	killed := 0
	for round := range rounds {
		dir := t.TempDir()
		for range 4 {
			cmd := exec.Command(os.Args[0], "play-runner", dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			after := time.Duration(random.Int64N(int64(span)))
			timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			if cmd.Wait() != nil {
				killed++
			}
			timer.Stop()
		}
		cmd := exec.Command(os.Args[0], "play-runner", dir)
		cmd.Stderr = os.Stderr
		got, err := cmd.Output()
		if err != nil {
			t.Fatalf("seed %d, round %d: the last run ended with %v", seed, round, err)
		}
		if d := cmp.Diff(digestsOf(want), digestsOf(got)); d != "" {
			t.Fatalf("seed %d, round %d: outputs differ: %s", seed, round, d)
		}
	}
	if killed == 0 {
		t.Errorf("no run was killed within %s: the test tries nothing", span)
	}
	t.Logf("killed %d runs of %s each", killed, span)
}

// A run that is asked twice waits for no checkpoint, neither of a stage in this
// process nor of a child: it ends with 130, its leases free and what was done
// kept.
func TestAbortWaitsForNoCheckpoint(t *testing.T) {
	for stage, want := range map[string]string{"refine": "succeeded interrupted skipped skipped", "slow": "succeeded succeeded succeeded interrupted"} {
		t.Run(stage, func(t *testing.T) {
			b := newBench(t, toyPlan)
			ctx, cancel := context.WithCancel(t.Context())
			b.ctx = ctx
			abort, deaf := make(chan struct{}), make(chan struct{})
			t.Cleanup(func() { close(deaf) })
			b.local = func(l *local.Executor) {
				l.Program, l.Abort = os.Args[0], abort
				l.Environ = append(os.Environ(), "TOY_DEAF=1")
			}
			b.count.before = func(name string, _ int) {
				if name == stage {
					<-deaf
				}
			}
			stopped := make(chan struct{})
			b.tweak = func(r *jobs.Runner) {
				r.Observer = observe(func(e runs.Event) {
					switch {
					case e.Stage == stage && e.Type == runs.EventState && *e.State == runs.Running:
						cancel()
					case e.Type == runs.EventStop:
						close(stopped)
					}
				})
			}
			go func() {
				<-stopped
				close(abort)
			}()
			res := b.mustRun(130, want)
			if !res.Retryable || res.Continue == "" {
				t.Errorf("result %+v", res)
			}
			for l, err := range b.store.Leases(t.Context(), "") {
				if err != nil || !l.Released {
					t.Errorf("lease %s is held, %v", l.Name, err)
				}
			}
			b.ctx, b.tweak = t.Context(), nil
			b.count.mu.Lock() // the stage that nobody waited for may begin yet
			b.count.before = nil
			b.count.mu.Unlock()
			b.local = func(l *local.Executor) { l.Program = os.Args[0] }
			b.mustRun(0, strings.NewReplacer("succeeded", "cached", "interrupted", "succeeded", "skipped", "succeeded").Replace(want))
		})
	}
}
