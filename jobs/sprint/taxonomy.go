package main

import (
	"errors"
	"strings"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/label"
)

// checkTaxonomy reports the mistakes of a plan's taxonomy like those of the
// plan itself.
func checkTaxonomy(g *jobs.Graph) error {
	src := g.Taxonomy()
	if len(src.Data) == 0 {
		return nil
	}
	_, err := label.Taxonomy(src)
	var problems stages.SourceProblems
	if !errors.As(err, &problems) {
		return err
	}
	lines := strings.Split(string(src.Data), "\n")
	var out config.Errors
	for _, p := range problems {
		e := &config.Error{Pos: config.Position{File: p.File, Line: p.Line, Col: p.Col}, Message: p.Message, Hint: p.Hint}
		if p.Line > 0 && p.Line <= len(lines) {
			e.Excerpt = lines[p.Line-1]
		}
		out = append(out, e)
	}
	return out
}
