// Package labels is what preview and review share: the mistakes of a taxonomy, of
// overlays and of rule tests, told as those of a plan are told, with file, line and what
// to write instead; and rows that a stage committed.
package labels

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
)

// CheckTaxonomy returns the mistakes of a plan's taxonomy as its error, and what
// looks wrong in a valid one.
func CheckTaxonomy(g *graph.Graph) (warnings diagnostic.Errors, err error) {
	src := g.Taxonomy()
	if len(src.Data) == 0 {
		return nil, nil
	}
	t, problems := taxonomy.Parse(src.Data)
	if len(problems) > 0 {
		return nil, At(src.Name, string(src.Data), problems)
	}
	return At(src.Name, string(src.Data), t.Warnings), nil
}

// CheckOverlays returns what looks wrong in the overlays of a plan's label stages: a
// file that cannot be read, corrections that are dated ahead of now. Files that are
// not there, or not on this machine, are left to the run.
func CheckOverlays(g *graph.Graph, now time.Time) (warnings diagnostic.Errors, err error) {
	for _, node := range g.Nodes {
		o, ok := node.Options.(*label.Options)
		if !ok || !slices.Contains(o.Source, "overlay") {
			continue
		}
		if _, _, remote := storage.SplitURL(o.Overlay.File); remote {
			continue
		}
		t, err := dataset.Taxonomy(g.Taxonomy())
		if err != nil {
			return nil, err
		}
		if e := checkOverlay(storage.LocalPath(o.Overlay.File), t.Names(), now); e != nil {
			warnings = append(warnings, e)
		}
	}
	return warnings, nil
}

func checkOverlay(path string, categories []string, now time.Time) *diagnostic.Error {
	wrong := func(message, hint string) *diagnostic.Error {
		return &diagnostic.Error{Pos: diagnostic.Position{File: path}, Message: message, Hint: hint}
	}
	const mend = "mend the file; `sprint review import` writes one"
	file, err := plainfile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wrong(err.Error(), mend)
	}
	defer file.Close()
	format, _ := rows.FormatOf(path)
	list, err := rows.ReadOverlay(file, format, categories)
	if err != nil {
		return wrong(err.Error(), mend)
	}
	if c, ok := rows.Ahead(list, now); ok {
		return wrong(fmt.Sprintf("record %d is dated %s: no later review counts until then", c.Number, c.Time.Format(time.RFC3339)), "write when it was reviewed")
	}
	return nil
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
