package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
	"github.com/sprint-ml/sprint/storage/storagetest"
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

// manifests maps kind/key to the number of manifests that a store has of it; one
// that cannot be read commits nothing.
func manifests(t testing.TB, s *storage.Store) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, k := range objects(t, s) {
		if rest, ok := strings.CutPrefix(k, "manifests/"); ok {
			if _, _, err := s.Read(t.Context(), k); errors.Is(err, storage.ErrCorrupt) {
				continue
			}
			out[rest[:strings.LastIndexByte(rest, '/')]]++
		}
	}
	return out
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

// kills are the ways to die at an operation.
var kills = []faults.Mode{faults.KillBefore, faults.KillAfter, faults.KillLost}

// TestKillEveryOperation kills a real child before, after, and after with a
// lost reply, of the operations of sixPlan on its store: of every one in the
// longest tier, of some in the shorter ones.
func TestKillEveryOperation(t *testing.T) {
	everywhere(t, func(t *testing.T, url func() string) {
		step := []int{37, 7, 1}[jobstest.Tier]
		if !strings.HasSuffix(t.Name(), "file") {
			step = []int{61, 7, 1}[jobstest.Tier]
		}
		killMatrix(t, url, step, nil)
	})
}

// everywhere runs a test on a folder and on servers of S3 and GCS, with a
// function that gives the URL of a new store each time.
func everywhere(t *testing.T, test func(t *testing.T, url func() string)) {
	t.Run("file", func(t *testing.T) { test(t, func() string { return filepath.Join(t.TempDir(), "store") }) })
	t.Run("s3", func(t *testing.T) { test(t, storagetest.S3URL(t, nil)) })
	t.Run("gcs", func(t *testing.T) { test(t, storagetest.GCSURL(t, nil)) })
}

// TestKillEveryOperationOfAWorker kills the worker of the isolated stage: its
// runner finds out and brings the run to its end by itself.
func TestKillEveryOperationOfAWorker(t *testing.T) {
	url := func() string { return filepath.Join(t.TempDir(), "store") }
	want := sixReference(t, url())
	killed := 0
	for n := 1; ; n++ {
		if jobstest.Tier == 0 && n%6 != 1 {
			continue
		}
		done := true
		for _, mode := range kills {
			dir, store, fault := t.TempDir(), url(), fmt.Sprintf("%s@%d", mode, n)
			log := filepath.Join(dir, "ops")
			cmd := exec.Command(os.Args[0], "play-six", dir, store)
			cmd.Env = append(os.Environ(), "TOY_ISOLATED=1", jobstest.WorkerFaults+"="+fault, "TOY_WORKER_OPS="+log)
			out, err := cmd.Output()
			var got sixReport
			if err != nil || json.Unmarshal(out, &got) != nil || got.Code != 0 {
				t.Errorf("worker %s: %v %s", fault, err, out)
				continue
			}
			ops, _ := os.ReadFile(log)
			if strings.Count(string(ops), "\n") >= n {
				done = false
				killed++
			}
			if d := cmp.Diff(want.Digests, got.Digests); d != "" {
				t.Errorf("worker %s: outputs differ: %s", fault, d)
			}
		}
		if done || n > 500 {
			break
		}
	}
	t.Logf("%d workers killed", killed)
	if killed == 0 {
		t.Error("no worker was ever killed")
	}
}

// killMatrix tries every step-th case of the matrix operation x way to die.
func killMatrix(t *testing.T, url func() string, step int, env []string) {
	want := sixReference(t, url())
	var cases []string
	for n := 1; n <= want.Ops; n++ {
		for _, mode := range kills {
			cases = append(cases, fmt.Sprintf("%s@%d", mode, n))
		}
	}
	if one := os.Getenv(faults.Env); one != "" { // a replay
		cases, step = []string{one}, 1
	}
	offset := int(time.Now().UnixNano() % int64(step))
	var mu sync.Mutex
	var wg sync.WaitGroup
	killed, ended := 0, 0
	slots := make(chan struct{}, 2)
	for i := offset; i < len(cases); i += step {
		slots <- struct{}{}
		fault, store := cases[i], url()
		dir := t.TempDir()
		wg.Go(func() {
			defer func() { <-slots }()
			cmd := exec.Command(os.Args[0], "play-six", dir, store)
			cmd.Env = append(append(os.Environ(), env...), faults.Env+"="+fault)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			mu.Lock()
			switch {
			case err == nil:
				ended++ // it needed fewer operations than the reference
			case errors.As(err, &exit) && exit.ExitCode() == -1:
				killed++
			default:
				t.Errorf("%s: %v: %s", fault, err, out)
			}
			mu.Unlock()
			wholeSix(t, fmt.Sprintf("replay with %s=%s", faults.Env, fault), dir, store, want, nil)
		})
	}
	wg.Wait()
	t.Logf("%d operations; of %d children %d were killed and %d ended before", want.Ops, killed+ended, killed, ended)
	if killed == 0 || ended > killed/10 {
		t.Errorf("%d of %d children were killed", killed, killed+ended)
	}
}
