// Package review has people look at doubtful labels, and takes their corrections
// in:
//
//   - set.go: the rows of a plan or of a run that may be reviewed
//   - doubt.go: which of them are worth a look, and why
//   - corrections.go: the file that people edit; corrections read, merged and added to
//     an overlay
package review

import (
	"context"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/labels"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/split"
	"github.com/sprint-ml/sprint/stages/verify"
	"github.com/sprint-ml/sprint/storage"
)

// Set is what people may review: labelled rows without those of gold sets.
type Set struct {
	Rows       []rows.Row
	Categories []string
}

// OfPlan is the set of the rows that a label stage of a plan labelled, without
// those of the gold sets that the plan names.
func OfPlan(ctx context.Context, s *storage.Store, plan *config.Plan, g *graph.Graph, stage string) (*Set, error) {
	node, o, err := LabelStage(g, stage)
	if err != nil {
		return nil, err
	}
	e, err := evaluate.Evaluator{Store: s}.Evaluate(ctx, g)
	if err != nil {
		return nil, err
	}
	made := e.Decisions[node.Name]
	if made.State != runs.Cached {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("stage %s is not done: %s", node.Name, made.Reason), Hint: commandline.Of("run", plan.File).Flag("until", node.Name).String()}
	}
	set := &Set{}
	artifact, _ := made.Manifest.Output("labelled")
	if set.Rows, set.Categories, err = labels.Rows(ctx, s, artifact); err != nil {
		return nil, err
	}
	for _, path := range goldFiles(g, o) {
		gold, err := rows.OpenPlannedGold(path, o.Layout(), nil)
		if err != nil {
			return nil, err
		}
		set.Rows, _ = dedup.RemoveOverlap(set.Rows, gold.Rows)
	}
	return set, nil
}

// OfRun is the set of the sides of the split that a run made: gold is out of them
// already.
func OfRun(ctx context.Context, store *storage.Store, run string) (*Set, error) {
	_, found, err := catalog.Outputs(ctx, store, run)
	if err != nil {
		return nil, err
	}
	set := &Set{}
	for _, side := range []string{"train", "val", "test"} {
		i := slices.IndexFunc(found, func(f provenance.Found) bool { return f.Name == side })
		if i < 0 {
			return nil, &diagnostic.UsageError{Message: fmt.Sprintf("run %s made no split, so its gold rows are not known", run), Hint: "name its plan: " + commandline.Of("review", "export", "plan.yaml").String()}
		}
		part, categories, err := labels.Rows(ctx, store, found[i].Artifact)
		if err != nil {
			return nil, err
		}
		set.Rows, set.Categories = append(set.Rows, part...), categories
	}
	return set, nil
}

// LabelStage finds the label stage of a plan: the one of that name, or without a
// name the only one.
func LabelStage(g *graph.Graph, stage string) (*graph.Node, *label.Options, error) {
	var found *graph.Node
	for _, t := range g.Nodes {
		if t.Kind.Name != "label" || stage != "" && t.Name != stage {
			continue
		}
		if found != nil {
			return nil, nil, &diagnostic.UsageError{Message: fmt.Sprintf("%s and %s label rows", found.Name, t.Name), Hint: "choose with --stage"}
		}
		found = t
	}
	if found == nil {
		return nil, nil, &diagnostic.UsageError{Message: "the plan has no such label stage", Hint: "review looks at what a stage of kind label made"}
	}
	return found, found.Options.(*label.Options), nil
}

// goldFiles are the gold sets that a plan names anywhere.
func goldFiles(g *graph.Graph, o *label.Options) []string {
	files := []string{o.Gold, o.Scored}
	for _, t := range g.Nodes {
		switch x := t.Options.(type) {
		case *verify.Options:
			files = append(files, x.Gold)
		case *split.Options:
			files = append(files, x.Gold)
		}
	}
	slices.Sort(files)
	return slices.DeleteFunc(slices.Compact(files), func(s string) bool { return s == "" })
}
