package graph_test

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/stages"
)

// TestPreemptibleNeedsCheckpoints: a stage that would begin anew after each interruption is a
// mistake of the plan, which says what it would cost; one that keeps its work is none.
func TestPreemptibleNeedsCheckpoints(t *testing.T) {
	plan := "name: p\nstages:\n  - {name: make, resources: {preemptible: true}, with: {keep: KEEP}}\n  - name: refine\n"
	about := func(n *graph.Node) string { return "about 40 min" }
	unknown := func(*graph.Node) string { return "" }
	for name, c := range map[string]struct {
		keep string
		lost func(*graph.Node) string
		want string
	}{
		"kept":     {"true", about, ""},
		"known":    {"false", about, "about 40 min by its earlier work"},
		"unknown":  {"false", unknown, "it never ran"},
		"no store": {"false", nil, "`sprint plan` says"},
	} {
		err := jobstest.NewBench(t, strings.Replace(plan, "KEEP", c.keep, 1)).Graph().CheckPreemptible(c.lost)
		switch {
		case c.want == "" && err == nil:
		case err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "plan.yaml:3:") || executor.Code(err) != stages.CodePlan:
			t.Errorf("%s: %v (code %d), want %q", name, err, executor.Code(err), c.want)
		}
	}
}
