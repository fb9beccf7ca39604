package jobs_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// TestOperationFails makes the n-th operation of sixPlan fail, for good or
// once, by each cause: the run resumes by itself, or ends with an error that
// names operation, key and cause; the next run ends as if nothing had been.
func TestOperationFails(t *testing.T) {
	if jobstest.Tier == 0 && testing.Short() {
		t.Skip("not in -short")
	}
	everywhere(t, func(t *testing.T, url func() string) {
		step := []int{83, 10, 1}[jobstest.Tier]
		if !strings.HasSuffix(t.Name(), "file") {
			step = []int{211, 10, 1}[jobstest.Tier]
		}
		faultMatrix(t, url, step)
	})
}

// faultMatrix tries every step-th case of the matrix operation x cause.
func faultMatrix(t *testing.T, url func() string, step int) {
	leaks := goroutines(t)
	short := func(b *jobstest.Bench) {
		b.Tweak = func(r *jobs.Runner) {
			// The holder of a lease whose release failed is this process, which
			// lives: the next run has to wait for a ttl.
			r.Parallel, r.TTL, r.Backoff = 1, 300*time.Millisecond, time.Millisecond
		}
	}
	want := sixReference(t, url())
	modes := []string{"error-before", "error-after", "short"}
	for _, cause := range slices.Sorted(maps.Keys(faults.Causes())) {
		modes = append(modes, "error-before:"+cause)
	}
	var cases []string
	for n := 1; n <= want.Ops; n++ {
		for _, f := range modes {
			cases = append(cases, fmt.Sprintf("%s@%d", f, n))
		}
	}
	if one := os.Getenv(faults.Env); one != "" { // a replay
		cases, step = []string{one}, 1
	}
	tried, failed := 0, 0
	for i := int(time.Now().UnixNano() % int64(step)); i < len(cases); i += step {
		dir, text := t.TempDir(), cases[i]
		what := fmt.Sprintf("replay with %s=%s", faults.Env, text)
		inj, err := faults.Open(text)
		if err != nil {
			t.Fatal(err)
		}
		store := url()
		inj.Cut = func(key string) error { return cut(t, store, key) }
		tried++
		got, err := runSix(t.Context(), dir, store, inj, short)
		message := got.Error
		if err != nil {
			message, got.Code = err.Error(), executor.Code(err)
		}
		var hit faults.Op
		for _, o := range inj.Ops() {
			if o.Mode != faults.None {
				hit = o
				break
			}
		}
		switch {
		case strings.Contains(message, "panic"):
			t.Errorf("%s: %s", what, message)
		case got.Code == 0 && !cmp.Equal(want.Digests, got.Digests):
			t.Errorf("%s: ends well with other outputs: %s", what, cmp.Diff(want.Digests, got.Digests))
		case got.Code != 0 && hit.N == 0:
			t.Errorf("%s: fails without a fault: %s", what, message)
		case got.Code != 0:
			failed++
			// What a write cut short left is found by the next read.
			if !strings.Contains(message, hit.Key) || hit.Mode != faults.Short && !strings.Contains(message, hit.Op) {
				t.Errorf("%s: code %d, the message does not name %s %s: %s", what, got.Code, hit.Op, hit.Key, message)
			}
			if inj.Err != nil && !strings.Contains(message, inj.Err.Error()) {
				t.Errorf("%s: code %d, the message does not name the cause %q: %s", what, got.Code, inj.Err, message)
			}
			if !slices.Contains([]stages.Code{stages.CodeEnvironment, stages.CodeIntegrity}, got.Code) {
				t.Errorf("%s: code %d: %s", what, got.Code, message)
			}
		}
		wholeSix(t, what, dir, store, want, short)
	}
	t.Logf("%d faults of %d operations; %d ended a run", tried, want.Ops, failed)
	leaks(t)
}
