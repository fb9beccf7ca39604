package jobs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// sixPlan has a fan-out, a fan-in, checkpoints, and a release with an alias at
// its end.
const sixPlan = `name: six
stages:
  - {name: make}
  - {name: refine, with: {times: 3, keep: true}}
  - {name: side, kind: join, needs: [make]}
  - {name: join, needs: [refine, side], with: {text: j}}
  - {name: slow, inputs: {all: join.all}}
  - {name: ship}
`

// sixReport is what a run of sixPlan says of itself.
type sixReport struct {
	Code    stages.Code       `json:"code"`
	Error   string            `json:"error"`
	States  map[string]string `json:"states"`
	Keys    map[string]string `json:"keys"` // kind/key by stage
	Digests map[string]string `json:"digests"`
	Ran     map[string]int    `json:"ran"`
	Ops     int               `json:"ops"`
}

// runSix runs sixPlan against a store. dir holds what is not in the store.
func runSix(ctx context.Context, dir, url string, injector *faults.Injector, tweak func(*jobstest.Bench)) (sixReport, error) {
	out := sixReport{States: map[string]string{}, Keys: map[string]string{}, Ran: map[string]int{}}
	store, err := storage.Open(ctx, url, &storage.Options{Around: injector.Around, Backoff: time.Millisecond})
	if err != nil {
		return out, err
	}
	defer store.Close()
	b := &jobstest.Bench{T: &testing.B{}, Dir: dir, Plan: sixPlan, Count: &jobstest.Counter{}, Ctx: ctx, Store: store}
	b.Registry = jobstest.Kinds(b.Count)
	b.Tweak = func(r *jobs.Runner) { r.Parallel, r.TTL = 1, 20*time.Second }
	if tweak != nil {
		tweak(b)
	}
	res, err := b.Run()
	out.Ops = len(injector.Ops())
	if err != nil {
		return out, err
	}
	out.Code, out.Error, out.Digests = res.Code, res.Error, jobstest.Digests(res)
	for _, s := range res.Stages {
		out.States[s.Name] = s.State.String()
		out.Keys[s.Name] = s.Kind + "/" + s.Key
	}
	maps.Copy(out.Ran, b.Count.N)
	return out, nil
}

// playSix is a child that runs sixPlan with the faults of its environment.
func playSix(dir, url string) int {
	injector, err := faults.Open(os.Getenv(faults.Env))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if path := os.Getenv("TOY_OPS"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		injector.Log = f
	}
	report, err := runSix(context.Background(), dir, url, injector, func(b *jobstest.Bench) {
		if option := os.Getenv("TOY_SET"); option != "" {
			b.Set = []string{option}
		}
		if os.Getenv("TOY_ISOLATED") != "" {
			b.Local = func(l *local.Executor) { l.Program = os.Args[0] }
		}
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return int(executor.Code(err))
	}
	_ = json.NewEncoder(os.Stdout).Encode(report)
	return int(report.Code)
}

// sixReference is sixPlan undisturbed.
func sixReference(t testing.TB, url string) sixReport {
	t.Helper()
	want, err := runSix(t.Context(), t.TempDir(), url, faults.New(nil), nil)
	if err != nil || want.Code != 0 || len(want.Digests) != 6 {
		t.Fatalf("undisturbed: %+v, %v", want, err)
	}
	return want
}

// wholeSix demands that another run ends as if nobody had disturbed the ones
// before: all that was committed is not done again, nothing is there twice.
func wholeSix(t testing.TB, what, dir, url string, want sixReport, tweak func(*jobstest.Bench)) {
	t.Helper()
	store, err := storage.Open(t.Context(), url, nil)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer store.Close()
	before := manifests(t, store)
	got, err := runSix(t.Context(), dir, url, faults.New(nil), tweak)
	if err != nil || got.Code != 0 {
		t.Errorf("%s: the next run ends with %d %s, %v", what, got.Code, got.Error, err)
		return
	}
	if d := cmp.Diff(want.Digests, got.Digests); d != "" {
		t.Errorf("%s: outputs differ (-undisturbed +now): %s", what, d)
	}
	for stage, key := range got.Keys {
		if before[key] > 0 && (got.Ran[stage] > 0 || got.States[stage] != "cached") {
			t.Errorf("%s: %s was committed and is %s, run %d times", what, stage, got.States[stage], got.Ran[stage])
		}
	}
	for key, n := range manifests(t, store) {
		if n != 1 {
			t.Errorf("%s: %d manifests of %s", what, n, key)
		}
	}
	releases, err := models.In(store).Releases(t.Context(), "toy")
	if err != nil || len(releases) != 1 {
		t.Errorf("%s: %d releases, %v", what, len(releases), err)
	}
	if r, err := models.In(store).Release(t.Context(), "toy", "latest"); err != nil || r.Version != 1 {
		t.Errorf("%s: latest is version %d, %v", what, r.Version, err)
	}
}
