package jobs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func TestSecondRunIsCachedAndWritesOneRecord(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	first := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	before := objects(t, b.Store)
	second := b.MustRun(0, "cached cached cached cached")
	if d := cmp.Diff(jobstest.Digests(first), jobstest.Digests(second)); d != "" {
		t.Errorf("outputs differ: %s", d)
	}
	if n := len(objects(t, b.Store)) - len(before); n != 1 {
		t.Errorf("a run with nothing to do wrote %d objects", n)
	}
	if got := b.Count.String(); got != "map[join:1 make:1 refine:1 slow:1]" {
		t.Errorf("ran %s", got)
	}
	ids, err := runs.List(t.Context(), b.Store, 10)
	if err != nil || len(ids) != 2 {
		t.Fatalf("runs %v, %v", ids, err)
	}
	record, err := runs.LoadRecord(t.Context(), b.Store, ids[0])
	if err != nil || record.Plan != "toys" || record.Code != 0 {
		t.Errorf("record %+v, %v", record, err)
	}
}

func TestChangedOptionRunsWhatFollowsAndSaysWhy(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	b.Set = []string{"refine.times=2"}
	e, err := evaluate.Evaluator{Store: b.Store}.Evaluate(t.Context(), b.Graph())
	if err != nil {
		t.Fatal(err)
	}
	if v := e.Decisions["refine"]; v.State != runs.Pending || !strings.Contains(v.Reason, "times") || !strings.Contains(v.Reason, "1 -> 2") {
		t.Errorf("refine is %s: %s", v.State, v.Reason)
	}
	if v := e.Decisions["join"]; v.State != runs.Waiting || e.Decisions["make"].State != runs.Cached {
		t.Errorf("join is %s: %s", v.State, v.Reason)
	}
	res := b.MustRun(0, "cached succeeded succeeded succeeded")
	if !strings.Contains(res.Stages[2].Reason, "input fine changed") {
		t.Errorf("join ran because of %q", res.Stages[2].Reason)
	}
	b.Set = []string{"refine.pace=1ms"} // not keyed
	b.MustRun(0, "cached cached cached cached")
}

func TestFailureSaysHowToContinue(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Set = []string{"refine.end=fail"}
	res := b.MustRun(11, "succeeded failed skipped skipped")
	if res.Continue != "sprint run plan.yaml" || res.Hint != "give it more" || !strings.Contains(res.Error, "toy is broken") || res.Retryable {
		t.Errorf("result %+v", res)
	}
	b.Set = nil
	b.MustRun(0, "cached succeeded succeeded succeeded")
}

func TestFailedGateIsMeasuredOnce(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Set = []string{"refine.end=verdict"}
	first := b.MustRun(5, "succeeded failed skipped skipped")
	if len(first.Stages[1].Outputs) != 2 {
		t.Errorf("outputs of a verdict: %v", first.Stages[1].Outputs)
	}
	before := len(objects(t, b.Store))
	second := b.MustRun(5, "cached failed skipped skipped")
	if b.Count.N["refine"] != 1 || second.Hint != "train more" {
		t.Errorf("ran %s; result %+v", b.Count, second)
	}
	if n := len(objects(t, b.Store)) - before; n != 1 {
		t.Errorf("a run that could do nothing wrote %d objects", n)
	}
}

func TestLostIsTriedAgainAndCapped(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Set = []string{"make.end=lost"}
	res := b.MustRun(4, "lost skipped skipped skipped")
	if b.Count.N["make"] != 3 || !res.Retryable {
		t.Errorf("ran %s, retryable %v", b.Count, res.Retryable)
	}
	tries, err := runs.Attempts(t.Context(), b.Store, *res.Run)
	if err != nil || tries["make"] != 3 {
		t.Errorf("attempts %v, %v", tries, err)
	}
}

func TestBadStagesDoNotTakeTheRunnerDown(t *testing.T) {
	for end, want := range map[string]string{"panic": "panicked: toy", "short": "without its output fine, times"} {
		b := jobstest.NewBench(t, jobstest.Plan)
		b.Set = []string{"refine.end=" + end}
		res := b.MustRun(1, "succeeded failed skipped skipped")
		if !strings.Contains(res.Error, want) {
			t.Errorf("%s: %s", end, res.Error)
		}
	}
}

func TestMissingAndDamagedOutputsHeal(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"gone":  os.Remove,
		"short": func(p string) error { return os.Truncate(p, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			b := jobstest.NewBench(t, jobstest.Plan)
			first := b.MustRun(0, "succeeded succeeded succeeded succeeded")
			key, err := storage.BlobKey(first.Stages[1].Outputs["fine"].Digest)
			if err != nil {
				t.Fatal(err)
			}
			if err := harm(filepath.Join(b.Dir, "store", filepath.FromSlash(key))); err != nil {
				t.Fatal(err)
			}
			second := b.MustRun(0, "cached succeeded cached cached")
			if d := cmp.Diff(jobstest.Digests(first), jobstest.Digests(second)); d != "" {
				t.Errorf("healed outputs differ: %s", d)
			}
			if !strings.Contains(second.Stages[1].Reason, "fine") {
				t.Errorf("reason %q", second.Stages[1].Reason)
			}
			b.MustRun(0, "cached cached cached cached")
		})
	}
}

func TestForceAndSelection(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	pick := func(s jobs.Selection) { b.Tweak = func(r *jobs.Runner) { r.Select = s } }
	pick(jobs.Selection{Until: "refine"})
	b.MustRun(0, "succeeded succeeded skipped skipped")
	pick(jobs.Selection{Only: []string{"join"}})
	b.MustRun(0, "cached cached succeeded skipped")
	pick(jobs.Selection{Force: []string{"refine"}})
	b.MustRun(0, "cached succeeded cached succeeded")
	pick(jobs.Selection{From: "join", ForceAll: true})
	b.MustRun(0, "cached cached succeeded succeeded")
	if got := b.Count.String(); got != "map[join:2 make:1 refine:2 slow:2]" {
		t.Errorf("ran %s", got)
	}
	pick(jobs.Selection{Only: []string{"jion"}})
	var usage *diagnostic.UsageError
	if _, err := b.Run(); !errors.As(err, &usage) || !strings.Contains(err.Error(), `"join"`) {
		t.Errorf("a misspelt stage gave %v", err)
	}
}

func TestSelectionWithoutItsInputs(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Tweak = func(r *jobs.Runner) { r.Select.Only = []string{"refine"} }
	res, err := b.Run()
	if err != nil {
		t.Fatal(err)
	}
	if res.Code != 2 || !strings.Contains(res.Error, "make") {
		t.Errorf("code %d: %s", res.Code, res.Error)
	}
}

func TestKeepGoingAndFirstFailureDecides(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.FanPlan)
	b.Set = []string{"left.end=fail", "right.end=panic"}
	b.Tweak = func(r *jobs.Runner) { r.KeepGoing = true }
	b.MustRun(11, "failed failed skipped")
	b.Set = []string{"left.end=panic"}
	b.MustRun(1, "failed succeeded skipped")
}

func TestIndependentStagesRunTogether(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.FanPlan)
	var mu sync.Mutex
	together, both := 0, make(chan struct{})
	b.Count.Before = func(stage string, _ int) {
		if stage == "join" {
			return
		}
		mu.Lock()
		if together++; together == 2 {
			close(both)
		}
		mu.Unlock()
		select {
		case <-both:
		case <-time.After(10 * time.Second):
			t.Error("the two makers never ran at the same time")
		}
	}
	b.MustRun(0, "succeeded succeeded succeeded")
}

func TestInterruptEndsResumable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := jobstest.NewBench(t, jobstest.Plan)
		b.Set = []string{"refine.pace=50ms", "refine.times=9"}
		ctx, cancel := context.WithCancel(t.Context())
		b.Ctx = ctx
		b.Count.Before = func(stage string, _ int) {
			if stage == "refine" {
				time.AfterFunc(70*time.Millisecond, cancel)
			}
		}
		res := b.MustRun(75, "succeeded interrupted skipped skipped")
		if !res.Retryable || res.Continue == "" {
			t.Errorf("result %+v", res)
		}
		b.Count.Before, b.Ctx = nil, t.Context()
		e, err := evaluate.Evaluator{Store: b.Store}.Evaluate(b.Ctx, b.Graph())
		if err != nil || !e.Decisions["refine"].Resumable {
			t.Errorf("the checkpoint is not seen: %s, %v; %s\n%s", e.Decisions["refine"].Reason, err, res.Stages[1].Error, strings.Join(objects(t, b.Store), "\n"))
		}
		b.Set[0] = "refine.pace=0s" // other pace, same key
		b.MustRun(0, "cached succeeded succeeded succeeded")
	})
}

// A signal that comes between two stages stops the run as well.
func TestInterruptBetweenStages(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	ctx, cancel := context.WithCancel(t.Context())
	b.Ctx = ctx
	b.Tweak = func(r *jobs.Runner) {
		recorder := r.Observer
		r.Observer = jobstest.Observe(func(e runs.Event) {
			recorder.Observe(e)
			if e.Stage == "make" && e.Type == runs.EventState && *e.State == runs.Succeeded {
				cancel()
			}
		})
	}
	b.MustRun(75, "succeeded skipped skipped skipped")
}

type onState func(runs.Event)

func (f onState) Observe(e runs.Event) {
	if e.State != nil {
		f(e)
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := jobstest.NewBench(t, jobstest.Plan)
		b.Set = []string{"make.pace=1m"}
		b.Tweak = func(r *jobs.Runner) { r.Deadline = 2 * time.Second }
		b.MustRun(75, "interrupted skipped skipped skipped") // the toy keeps a checkpoint
		b = jobstest.NewBench(t, jobstest.Plan)
		b.Set = []string{"make.pace=1m", "make.end=drop"}
		b.Tweak = func(r *jobs.Runner) { r.Deadline = 2 * time.Second }
		b.MustRun(124, "interrupted skipped skipped skipped")
		b.Set = []string{"refine.pace=1m", "refine.end=drop"} // make is committed before
		b.MustRun(75, "succeeded interrupted skipped skipped")
	})
}

// A deadline that is over before the store has answered is one all the same.
func TestDeadlineBeforeTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := jobstest.NewBench(t, jobstest.Plan)
		store, err := storage.Open(t.Context(), filepath.Join(b.Dir, "store"), &storage.Options{
			Around: func(_ context.Context, _, _ string, call func() error) error {
				time.Sleep(time.Second)
				return call()
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		b.Store = store
		for _, seconds := range []time.Duration{2, 6, 11} { // while it looks what is done, tries the store, and is announced
			b.Tweak = func(r *jobs.Runner) { r.Deadline = seconds*time.Second + time.Second/2 }
			res, err := b.Run()
			if res != nil || executor.Code(err) != stages.CodeDeadline {
				t.Errorf("a deadline after %d s: %+v, code %d: %v", seconds, res, executor.Code(err), err)
			}
		}
	})
}

func TestTimeoutNamesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := jobstest.NewBench(t, strings.Replace(jobstest.Plan, "- name: make", "- name: make\n    timeout: 50ms\n    with: {pace: 1m}", 1))
		res := b.MustRun(1, "failed skipped skipped skipped")
		if !strings.Contains(res.Error, "(limit run: 50ms)") || res.Stages[0].EndedBy != executor.LimitRun || !strings.Contains(res.Hint, "`timeout`") {
			t.Errorf("error %q, ended by %q, hint %q", res.Error, res.Stages[0].EndedBy, res.Hint)
		}
	})
}

func TestManyRunnersCommitEachStageOnce(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Set = []string{"make.pace=20ms", "refine.pace=20ms"}
	results := make([]*runs.Result, 6)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			own := *b
			res, err := own.Run()
			if err != nil {
				t.Error(err)
				return
			}
			results[i] = res
		})
	}
	wg.Wait()
	for _, r := range results {
		if r == nil || r.Code != 0 {
			t.Fatalf("a runner ended with %+v", r)
		}
		if d := cmp.Diff(jobstest.Digests(results[0]), jobstest.Digests(r)); d != "" {
			t.Errorf("runners disagree: %s", d)
		}
	}
	if got := b.Count.String(); got != "map[join:1 make:1 refine:1 slow:1]" {
		t.Errorf("ran %s", got)
	}
	n := 0
	for _, k := range objects(t, b.Store) {
		if strings.HasPrefix(k, "manifests/") {
			n++
		}
	}
	if n != 4 {
		t.Errorf("%d manifests for four stages", n)
	}
}

func BenchmarkNothingToDo(b *testing.B) {
	w := jobstest.NewBench(b, jobstest.Plan)
	w.MustRun(0, "succeeded succeeded succeeded succeeded")
	for b.Loop() {
		w.MustRun(0, "cached cached cached cached")
	}
}
