package estimate_test

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/estimate"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

// foresee evaluates the bench's plan and estimates what would run.
func foresee(t *testing.T, b *jobstest.Bench) map[string]float64 {
	t.Helper()
	e, err := evaluate.Evaluator{Store: b.Store}.Evaluate(b.Ctx, b.Graph())
	if err != nil {
		t.Fatal(err)
	}
	return estimate.Seconds(b.Ctx, e, estimate.Of(b.Ctx, e, b.Store, e.Work()))
}

// rewrite commits the newest work of a kind again, as if it had taken so long.
func rewrite(t *testing.T, b *jobstest.Bench, kind string, took time.Duration, change func(*storage.Manifest)) {
	t.Helper()
	var newest storage.Manifest
	for m, err := range b.Store.History(b.Ctx, kind) {
		if err != nil {
			t.Fatal(err)
		}
		newest = m
	}
	newest.Generation++
	newest.Finished = newest.Started.Add(took)
	if change != nil {
		change(&newest)
	}
	if _, won, err := b.Store.Commit(b.Ctx, newest); err != nil || !won {
		t.Fatalf("%s: won %v, %v", kind, won, err)
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

// TestLastWork: a stage is expected to take what the same stage took last, less the
// programs that were compiled then; without any it is unknown.
func TestLastWork(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	if got := foresee(t, b); len(got) != 0 {
		t.Errorf("an empty store foretells %v", got)
	}
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	if got := foresee(t, b); len(got) != 0 {
		t.Errorf("where all is done: %v", got)
	}
	rewrite(t, b, "make", 40*time.Second, func(m *storage.Manifest) {
		m.Notes = map[string]any{"programs": map[string]any{"all": 4, "from_cache": 1, "seconds": 20.0}}
	})
	rewrite(t, b, "slow", 7*time.Second, nil)
	b.Set = []string{"make.text=other"}
	lost := estimate.Lost(b.Ctx, b.Graph(), b.Store)
	if got := lost(b.Graph().Nodes[0]); got != "about 30 s" {
		t.Errorf("an interruption of make costs %q", got)
	}
	if got := foresee(t, b); !near(got["make"], 25) || !near(got["slow"], 7) || len(got) != 4 {
		t.Errorf("foretold %v, want make 25 and slow 7 s", got)
	}
	rewrite(t, b, "slow", 9*time.Second, func(m *storage.Manifest) { m.Notes = map[string]any{"resumed": "from step 3"} })
	if got := foresee(t, b); got["slow"] == 9 {
		t.Errorf("the rest of a resumed work counts as the whole: %v", got)
	}
}

// TestOtherPlan: what another plan's stage of the kind took is used where the plan's own
// was never done, scaled by the passes over its input.
func TestOtherPlan(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	for i := range b.Registry {
		if b.Registry[i].Name == "refine" {
			b.Registry[i].Effort = func(any) (string, float64) { return "raw", 1 }
		}
	}
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	rewrite(t, b, "make", 12*time.Second, nil)
	rewrite(t, b, "refine", 10*time.Second, func(m *storage.Manifest) {
		m.Notes = map[string]any{"programs": map[string]any{"all": 4, "from_cache": 2, "seconds": 8.0}}
	})
	b.Plan = "name: others\nstages:\n  - {name: first, kind: make}\n  - {name: second, kind: refine}\n"
	b.Set = []string{"first.text=other"}
	if got := foresee(t, b); !near(got["first"], 12) || !near(got["second"], 10) {
		t.Errorf("foretold %v, want 12 and 10", got)
	}
}

// TestGrowth: an input of twice the size takes twice as long, and one that is
// incomparably larger is not guessed at.
func TestGrowth(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	for i := range b.Registry {
		if b.Registry[i].Name == "refine" {
			b.Registry[i].Effort = func(any) (string, float64) { return "raw", 1 }
		}
	}
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	rewrite(t, b, "refine", 10*time.Second, nil)
	e, err := evaluate.Evaluator{Store: b.Store}.Evaluate(b.Ctx, b.Graph())
	if err != nil {
		t.Fatal(err)
	}
	s := estimate.Of(b.Ctx, e, b.Store, []string{"refine"})["refine"]
	raw, _ := e.Decisions["make"].Manifest.Output("raw")
	for factor, want := range map[int64]float64{1: 10, 2: 20, 1000: 0} {
		larger := storage.Artifact{Digest: "sha256:" + "ab", Size: raw.Size * factor}
		if got := s.Seconds(b.Ctx, map[string]storage.Artifact{"raw": larger}); !near(got, want) {
			t.Errorf("an input of %d times the size: %v s, want %v", factor, got, want)
		}
	}
}

func TestTotal(t *testing.T) {
	g := jobstest.NewBench(t, jobstest.FanPlan).Graph()
	took := map[string]float64{"left": 10, "right": 4, "join": 3}
	left := func(stage string) (float64, bool) { s, ok := took[stage]; return s, ok }
	for parallel, want := range map[int]float64{0: 17, 1: 17, 2: 13} {
		if got, ok := estimate.Total(g, parallel, left); !ok || !near(got, want) {
			t.Errorf("%d at once: %v, want %v", parallel, got, want)
		}
	}
	delete(took, "right")
	if got, ok := estimate.Total(g, 2, left); ok {
		t.Errorf("with an unknown stage: %v", got)
	}
}

func TestAbout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "about 1 s", 7400 * time.Millisecond: "about 7 s", 52 * time.Second: "about 50 s", 91 * time.Second: "about 90 s",
		30 * time.Minute: "about 30 min", 150 * time.Minute: "about 2 h",
	} {
		if got := estimate.About(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
