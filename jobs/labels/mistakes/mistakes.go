// Package mistakes tells the mistakes of a taxonomy and of rule tests as those of
// a plan are told: with file, line and what to write instead.
package mistakes

import (
	"errors"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
)

// InTaxonomy reports the mistakes of a plan's taxonomy like those of the
// plan itself.
func InTaxonomy(g *graph.Graph) error {
	src := g.Taxonomy()
	if len(src.Data) == 0 {
		return nil
	}
	_, err := dataset.Taxonomy(src)
	var problems stages.SourceProblems
	if !errors.As(err, &problems) {
		return err
	}
	var out []taxonomy.Problem
	for _, p := range problems {
		out = append(out, taxonomy.Problem{Line: p.Line, Col: p.Col, Message: p.Message, Hint: p.Hint})
	}
	return At(src.Name, string(src.Data), out)
}

// At gives problems of a file the lines that they are about.
func At(file, text string, problems []taxonomy.Problem) diagnostic.Errors {
	lines := strings.Split(text, "\n")
	var out diagnostic.Errors
	for _, p := range problems {
		e := &diagnostic.Error{Pos: diagnostic.Position{File: file, Line: p.Line, Col: p.Col}, Message: p.Message, Hint: p.Hint}
		if p.Line > 0 && p.Line <= len(lines) {
			e.Excerpt = lines[p.Line-1]
		}
		out = append(out, e)
	}
	return out
}

// Warnings are what looks wrong in a valid taxonomy.
func Warnings(g *graph.Graph) diagnostic.Errors {
	src := g.Taxonomy()
	t, err := dataset.Taxonomy(src)
	if err != nil {
		return nil //nolint:nilerr // checkTaxonomy says what is wrong
	}
	return At(src.Name, string(src.Data), t.Warnings)
}
