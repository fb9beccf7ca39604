package graph

import (
	"context"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
)

// CheckFiles looks into the files of people that the plan names, as its stages would, and
// returns all mistakes as its error, and what can be lived with, outputs that nobody reads
// among it. What several stages say
// of one file is told once.
func (g *Graph) CheckFiles(ctx context.Context) (warnings diagnostic.Errors, err error) {
	g.keepLanguages()
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
	mistakes = append(mistakes, g.goldOnly()...)
	warnings = append(warnings, g.unread()...)
	warnings.Sort()
	return warnings, mistakes.OrNil()
}

// keepLanguages tells the stages that bring rows in which of them a later one can make
// nothing of.
func (g *Graph) keepLanguages() {
	for _, reader := range g.Nodes {
		r, ok := reader.Options.(stages.LanguageReader)
		if !ok {
			continue
		}
		of := r.ReadLanguages(g.taxonomy)
		for _, from := range g.Nodes {
			if k, ok := from.Options.(stages.LanguageKeeper); ok && of != nil && g.Upstream(reader.Name)[from.Name] {
				k.KeepLanguages(of)
			}
		}
	}
}

// goldOnly refuses a gold set that is all there is to learn from: its rows never train, so
// that none would be left.
func (g *Graph) goldOnly() (out diagnostic.Errors) {
	for _, node := range g.Nodes {
		gold, ok := node.Options.(stages.GoldReader)
		if !ok {
			continue
		}
		option, path := gold.GoldFile()
		if path == "" {
			continue
		}
		for _, from := range g.Nodes {
			rows, ok := from.Options.(stages.RowReader)
			if !ok || !g.Upstream(node.Name)[from.Name] {
				continue
			}
			files := rows.RowFiles()
			if len(files) > 0 && !slices.ContainsFunc(files, func(f string) bool { return !plainfile.Same(f, path) }) {
				out = append(out, g.options.Error(node.Name, option, fmt.Sprintf("%s is also what stage %s reads, and rows of the gold set never train: none would be left", path, from.Name),
					"set rows aside for it, in a file of their own; `sprint init NAME --from FILE` does"))
			}
		}
	}
	return out
}

func (g *Graph) fileError(node *Node, p stages.FileProblem) *diagnostic.Error {
	if p.File == "" {
		return g.options.Error(node.Name, p.Option, p.Message, p.Hint)
	}
	return &diagnostic.Error{Pos: diagnostic.Position{File: p.File, Line: p.Line, Col: p.Col}, Message: p.Message, Hint: p.Hint, Excerpt: p.Excerpt}
}
