package local_test

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// TestForeignAttempt: a worker does not begin what its runner did not store.
func TestForeignAttempt(t *testing.T) {
	for when, states := range map[string]string{"preflight": "skipped skipped skipped failed", "work": "succeeded succeeded succeeded failed"} {
		b := jobstest.NewBench(t, jobstest.Plan)
		b.Local = func(l *local.Executor) {
			l.Program = os.Args[0]
			l.Environ = append(os.Environ(), jobstest.AttemptTampers+"="+when)
		}
		res := b.MustRun(9, states)
		if e := res.Stages[3].Error; !strings.Contains(e, "not as its runner stored it") {
			t.Errorf("%s: the error is %q", when, e)
		}
		for _, e := range b.Seen.Events {
			if e.Stage == "slow" && e.Message == "a line that is no message" {
				t.Errorf("%s: the stage began", when)
			}
		}
	}
}

func TestIsolatedStageRunsInAChild(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Local = func(l *local.Executor) { l.Program = os.Args[0] }
	res := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	if b.Count.N["slow"] != 0 {
		t.Error("the isolated stage ran in this process")
	}
	if res.Stages[3].Device != "toy" {
		t.Errorf("the child's note did not arrive: %+v", res.Stages[3])
	}
	progress, line := false, false
	for _, e := range b.Seen.Events {
		progress = progress || e.Stage == "slow" && e.Progress != nil && e.Progress.Done == 1
		line = line || e.Stage == "slow" && e.Message == "a line that is no message"
	}
	if !progress || !line {
		t.Errorf("progress relayed: %v, plain output relayed: %v", progress, line)
	}
	b.MustRun(0, "cached cached cached cached")
}

// needSignals skips a test where there are none: a child is then neither asked to
// stop before its time is over, nor seen to have been killed.
func needSignals(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals")
	}
}

func TestKilledChildIsTriedAgain(t *testing.T) {
	needSignals(t)
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Local = func(l *local.Executor) {
		l.Program = os.Args[0]
		l.Environ = append(os.Environ(), "TOY_KILL_ONCE=1")
	}
	res := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	if res.Stages[3].Attempt != 2 {
		t.Errorf("the stage succeeded in attempt %d", res.Stages[3].Attempt)
	}
}

// TestChildKilledAfterItsCommit: its attempt counts as succeeded, nothing runs twice.
func TestChildKilledAfterItsCommit(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Local = func(l *local.Executor) {
		l.Program = os.Args[0]
		l.Environ = append(os.Environ(), jobstest.KillBeforeEnd+"=1")
	}
	res := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	began := 0
	for _, e := range b.Seen.Events {
		if e.Stage == "slow" && e.Message == "a line that is no message" {
			began++
		}
	}
	if res.Stages[3].Attempt != 1 || began != 1 {
		t.Errorf("the stage began %d times and succeeded in attempt %d", began, res.Stages[3].Attempt)
	}
}

func TestFailureOfAChildKeepsItsCode(t *testing.T) {
	for end, want := range map[string]struct {
		code stages.Code
		hint string
	}{"fail": {11, "give it more"}, "verdict": {5, "train more"}, "panic": {1, ""}} {
		b := jobstest.NewBench(t, jobstest.Plan)
		b.Local = func(l *local.Executor) { l.Program = os.Args[0] }
		b.Set = []string{"slow.end=" + end}
		res := b.MustRun(want.code, "succeeded succeeded succeeded failed")
		if want.hint != "" && res.Hint != want.hint {
			t.Errorf("%s: hint %q", end, res.Hint)
		}
	}
}

// TestAbortOfAChild: a worker that the Go runtime aborts, with code 2, is no mistake of the
// command line. What it said first tells whether memory was short, however long its trace.
func TestAbortOfAChild(t *testing.T) {
	for words, want := range map[string]stages.Code{
		"fatal error: runtime: out of memory":                     stages.CodeMemory,
		"runtime: mmap: cannot allocate memory (8192-byte block)": stages.CodeMemory,
		"fatal error: stack overflow":                             stages.CodeStage,
	} {
		b := jobstest.NewBench(t, jobstest.Plan)
		b.Local = func(l *local.Executor) {
			l.Program = os.Args[0]
			l.Environ = append(os.Environ(), jobstest.WorkerLastWords+"="+words)
		}
		res := b.MustRun(want, "succeeded succeeded succeeded failed")
		if e := res.Stages[3].Error; !strings.Contains(e, words) || len(e) > 10<<10 {
			t.Errorf("the error has %d bytes: %.200q", len(e), e)
		}
	}
}

// TestPreflightWithoutDemands: no process is started for a stage that has nothing to try.
func TestPreflightWithoutDemands(t *testing.T) {
	plain := jobstest.Kind("plain", &jobstest.Counter{}, true, nil, false, "out")
	demanding := plain
	demanding.Name = "demanding"
	plain.New = func(any, stages.Env) stages.Stage { return idle{} }
	store, err := storage.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l := local.New(stages.Registry{plain, demanding}, store, "/nowhere/sprint", nil, jobstest.NoSecret)
	for kind, starts := range map[string]bool{"plain": false, "demanding": true} {
		a := &runs.Attempt{Run: "20260102-150405-00000000", Stage: "s", Kind: kind, Number: 0, Options: []byte("{}")}
		if err := l.Preflight(t.Context(), a, discard{}); (err != nil) != starts {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// idle has no demands.
type idle struct{}

func (idle) Run(context.Context, stages.Inputs, stages.Outputs) error { return nil }

// discard is a sink that nobody reads.
type discard struct{}

func (discard) Progress(stages.Progress) {}
func (discard) Note(string, any)         {}
func (discard) Log(slog.Level, string)   {}

func TestInterruptReachesTheChild(t *testing.T) {
	needSignals(t)
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Set = []string{"slow.pace=100ms", "slow.times=9"}
	ctx, cancel := context.WithCancel(t.Context())
	b.Ctx = ctx
	b.Local = func(l *local.Executor) { l.Program = os.Args[0] }
	b.Tweak = func(r *jobs.Runner) {
		r.Observer = jobstest.Observe(func(e runs.Event) {
			if e.Stage == "slow" && e.Progress != nil {
				cancel()
			}
		})
	}
	b.MustRun(75, "succeeded succeeded succeeded interrupted")
	b.Ctx, b.Tweak, b.Set[0] = t.Context(), nil, "slow.pace=0s"
	e, err := evaluate.Evaluator{Store: b.Store}.Evaluate(b.Ctx, b.Graph())
	if err != nil || !e.Decisions["slow"].Resumable {
		t.Errorf("no checkpoint of the child: %+v, %v", e.Decisions["slow"], err)
	}
	b.MustRun(0, "cached cached cached succeeded")
}

// A run that is asked twice waits for no checkpoint, neither of a stage in this
// process nor of a child: it ends with 130, its leases free and what was done
// kept.
func TestAbortWaitsForNoCheckpoint(t *testing.T) {
	needSignals(t)
	for stage, want := range map[string]string{"refine": "succeeded interrupted skipped skipped", "slow": "succeeded succeeded succeeded interrupted"} {
		t.Run(stage, func(t *testing.T) {
			b := jobstest.NewBench(t, jobstest.Plan)
			ctx, cancel := context.WithCancel(t.Context())
			b.Ctx = ctx
			abort, deaf := make(chan struct{}), make(chan struct{})
			t.Cleanup(func() { close(deaf) })
			b.Local = func(l *local.Executor) {
				l.Program, l.Abort = os.Args[0], abort
				l.Environ = append(os.Environ(), "TOY_DEAF=1")
			}
			b.Count.Before = func(name string, _ int) {
				if name == stage {
					<-deaf
				}
			}
			stopped := make(chan struct{})
			b.Tweak = func(r *jobs.Runner) {
				r.Observer = jobstest.Observe(func(e runs.Event) {
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
			res := b.MustRun(130, want)
			if !res.Retryable || res.Continue == "" {
				t.Errorf("result %+v", res)
			}
			for l, err := range b.Store.Leases(t.Context(), "") {
				if err != nil || !l.Released {
					t.Errorf("lease %s is held, %v", l.Name, err)
				}
			}
			b.Ctx, b.Tweak = t.Context(), nil
			b.Count.SetBefore(nil) // the stage that nobody waited for may begin yet
			b.Local = func(l *local.Executor) { l.Program = os.Args[0] }
			b.MustRun(0, strings.NewReplacer("succeeded", "cached", "interrupted", "succeeded", "skipped", "succeeded").Replace(want))
		})
	}
}
