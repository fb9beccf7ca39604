package graph

import (
	"context"
	"slices"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/stages"
)

// CheckFiles looks into the files of people that the plan names, as its stages would, and
// returns all mistakes as its error, and what can be lived with, outputs that nobody reads
// among it. What several stages say
// of one file is told once.
func (g *Graph) CheckFiles(ctx context.Context) (warnings diagnostic.Errors, err error) {
	var mistakes diagnostic.Errors
	for _, node := range g.Nodes {
		checker, ok := node.Options.(stages.FileChecker)
		if !ok {
			continue
		}
		for _, p := range checker.CheckFiles(ctx, g.taxonomy) {
			list := &mistakes
			if p.Warning {
				list = &warnings
			}
			e := g.fileError(node, p)
			if !slices.ContainsFunc(*list, func(o *diagnostic.Error) bool { return (o.Pos == e.Pos || p.File == "") && o.Message == e.Message }) {
				*list = append(*list, e)
			}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	warnings = append(warnings, g.unread()...)
	warnings.Sort()
	return warnings, mistakes.OrNil()
}

func (g *Graph) fileError(node *Node, p stages.FileProblem) *diagnostic.Error {
	if p.File == "" {
		return g.options.Error(node.Name, p.Option, p.Message, p.Hint)
	}
	return &diagnostic.Error{Pos: diagnostic.Position{File: p.File, Line: p.Line, Col: p.Col}, Message: p.Message, Hint: p.Hint, Excerpt: p.Excerpt}
}
