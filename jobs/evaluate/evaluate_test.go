package evaluate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

// decisions asks what a run of the bench's plan would do, in plan order, and
// checks that asking changes nothing.
func decisions(t *testing.T, b *jobstest.Bench, force ...string) (*evaluate.Evaluation, string) {
	t.Helper()
	before := b.Objects("")
	e := evaluate.Evaluator{Store: b.Store, Force: map[string]bool{}}
	for _, name := range force {
		e.Force[name] = true
	}
	out, err := e.Evaluate(b.Ctx, b.Graph())
	if err != nil {
		t.Fatal(err)
	}
	if after := b.Objects(""); !slices.Equal(before, after) {
		t.Errorf("asking changed the store from %v to %v", before, after)
	}
	var words []string
	for _, name := range out.Graph.Names() {
		d := out.Decisions[name]
		words = append(words, d.State.String()+": "+d.Reason)
	}
	return out, strings.Join(words, "; ")
}

// TestDecisions: a node is cached if the manifest of its key and all its outputs are
// there, else it runs, and what needs it waits; the reason says what is different.
func TestDecisions(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	check := func(want string, work int, force ...string) *evaluate.Evaluation {
		t.Helper()
		e, got := decisions(t, b, force...)
		if got != want || len(e.Work()) != work {
			t.Errorf("decided\n%s with %d to do, want\n%s with %d", got, len(e.Work()), want, work)
		}
		return e
	}
	check("pending: never done; waiting: after make; waiting: after refine; waiting: after join", 4)
	b.MustRun(0, "succeeded succeeded succeeded succeeded")
	done := check("cached: unchanged; cached: unchanged; cached: unchanged; cached: unchanged", 0)
	check("cached: unchanged; cached: unchanged; pending: forced; waiting: after join", 2, "join")

	b.Set = []string{"refine.text=other"}
	check(`cached: unchanged; pending: option text: "x" -> "other"; waiting: after refine; waiting: after join`, 3)
	b.Set = nil

	made := done.Decisions["refine"].Manifest
	key, err := storage.BlobKey(made.Outputs[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.Store.Source(), filepath.FromSlash(key))); err != nil {
		t.Fatal(err)
	}
	gone := check("cached: unchanged; pending: output "+made.Outputs[0].Name+" is gone from the store; waiting: after refine; waiting: after join", 3)
	if d := gone.Decisions["refine"]; d.Lost == nil || d.Lost.Key != made.Key || d.Manifest != nil {
		t.Errorf("what is lost of refine: %+v", d)
	}
}

// TestFailedBefore: a stored verdict is the answer of the same work, and what needs it
// is not asked about.
func TestFailedBefore(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	b.Set = []string{"join.end=verdict"}
	b.MustRun(5, "succeeded succeeded failed skipped")
	e, got := decisions(t, b)
	if want := "cached: unchanged; cached: unchanged; failed: the same work failed before: 0.3 is below 0.5; skipped: join did not succeed"; got != want || len(e.Work()) != 0 {
		t.Errorf("decided\n%s, want\n%s", got, want)
	}
	if _, got = decisions(t, b, "join"); got != "cached: unchanged; cached: unchanged; pending: forced; waiting: after join" {
		t.Errorf("forced, decided\n%s", got)
	}
}

// TestNearest: of the manifests of a kind the one is found that differs least, with what
// differs; not those of the key itself.
func TestNearest(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	for _, set := range [][]string{{"make.text=far", "make.times=2"}, {"make.text=near"}} {
		b.Set = set
		b.MustRun(0, "succeeded succeeded succeeded succeeded")
	}
	e := evaluate.Evaluator{Store: b.Store}
	b.Set = nil
	out, _ := decisions(t, b)
	d := out.Decisions["make"]
	node, _ := out.Graph.Node("make")
	m, changes, err := e.Nearest(b.Ctx, node, d)
	if err != nil || m == nil || len(changes) != 1 || changes[0].Old != `"near"` {
		t.Errorf("nearest %+v with %+v, %v", m, changes, err)
	}
	ship := *node
	ship.Kind.Name = "ship"
	if m, _, err := e.Nearest(b.Ctx, &ship, d); m != nil || err != nil {
		t.Errorf("of a kind that made nothing: %+v, %v", m, err)
	}
}
