package jobs_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// noting is a stage that notes what lists of runs show.
type noting struct {
	stages.Stage
	env stages.Env
}

func (n noting) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	f1, gain := 0.75, 0.125
	n.env.Note(stages.NoteFigures, stages.Figures{On: "gold", MacroF1: &f1, Gain: &gain})
	n.env.Note(stages.NoteRelease, "toy@3")
	return n.Stage.Run(ctx, in, out)
}

// TestFiguresOfRuns holds that the list of runs tells what was measured, of a run that
// measured and of one that took its work.
func TestFiguresOfRuns(t *testing.T) {
	b := jobstest.NewBench(t, "name: p\nstages: [{name: make}]\n")
	k := jobstest.Kind("make", b.Count, false, nil, false, "all")
	inner := k.New
	k.New = func(o any, env stages.Env) stages.Stage { return noting{inner(o, env), env} }
	b.Registry = stages.Registry{k}
	f1, gain := 0.75, 0.125
	want := &runs.Figures{Model: "toy@3", Device: "toy", On: "gold", MacroF1: &f1, Gain: &gain}
	for _, state := range []runs.State{runs.Succeeded, runs.Cached} {
		res, err := b.Run()
		if err != nil || res.Stages[0].State != state {
			t.Fatalf("%+v, %v", res, err)
		}
		listed, err := catalog.Load(t.Context(), b.Store, []string{*res.Run}, runs.LoadBrief)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, listed[0].Figures); d != "" {
			t.Errorf("%s: figures differ (-want +got): %s", state, d)
		}
	}
}
