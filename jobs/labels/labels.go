// Package labels is what preview and review share: the mistakes of a taxonomy and of
// rule tests, told as those of a plan are told, with file, line and what to write
// instead; and rows that a stage committed.
package labels

import (
	"context"
	"slices"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
)

// CheckTaxonomy returns the mistakes of a plan's taxonomy as its error, and what
// looks wrong in a valid one, as far as the plan's labels depend on it.
func CheckTaxonomy(g *graph.Graph) (warnings diagnostic.Errors, err error) {
	src := g.Taxonomy()
	if len(src.Data) == 0 {
		return nil, nil
	}
	t, problems := taxonomy.Parse(src.Data)
	if len(problems) > 0 {
		return nil, At(src.Name, string(src.Data), problems)
	}
	if byHand(g) {
		// Its categories have no need of rules: these are the baseline alone.
		t.Warnings = slices.DeleteFunc(t.Warnings, taxonomy.Problem.Silent)
	}
	return At(src.Name, string(src.Data), t.Warnings), nil
}

// byHand reports whether a plan labels, and no stage of it by rules.
func byHand(g *graph.Graph) bool {
	labels := false
	for _, name := range g.Names() {
		node, _ := g.Node(name)
		if o, ok := node.Options.(*label.Options); ok {
			labels = true
			if slices.Contains(o.Source, "rules") {
				return false
			}
		}
	}
	return labels
}

// At gives problems of a file the lines that they are about.
func At(file, text string, problems []taxonomy.Problem) diagnostic.Errors {
	var out diagnostic.Errors
	for _, p := range problems {
		out = append(out, diagnostic.In(text, diagnostic.Position{File: file, Line: p.Line, Col: p.Col}, p.Message, p.Hint))
	}
	return out
}

// Rows reads an artifact of rows, with the categories of its labels.
func Rows(ctx context.Context, s *storage.Store, a storage.Artifact) ([]rows.Row, []string, error) {
	r, err := s.Get(ctx, a.Digest, a.Size)
	if err != nil {
		return nil, nil, catalog.Gone(a.Name, err)
	}
	defer r.Close()
	return rows.DecodeParquet(r)
}
