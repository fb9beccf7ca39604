package refresh

import (
	"context"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Corrections are what reviewers corrected since the champion was published, as a result
// shows it.
type Corrections struct {
	File  string `json:"file"`
	Since int    `json:"since"` // rows that were corrected since
	// Gold are those of rows of the gold set, which measures them already.
	Gold int `json:"gold"`
	// Against are the rows of the gold set of which corrections of any time say otherwise.
	// The gold set counts.
	Against int `json:"against"`
	// Trained are those that the challenger trained or was calibrated on: they cannot
	// measure it.
	Trained int `json:"trained"`
	// Measured are the others, on which both answered.
	Measured int `json:"measured"`
}

// corrections are the corrected rows that may measure a challenger, with the labels that
// count; of none, nil.
func (r *refresh) corrections(ctx context.Context, c *champion, gold []rows.Row, challenger *runs.Record) ([]rows.Row, error) {
	file, layout := r.overlay()
	if file == "" {
		return nil, nil
	}
	list, err := r.readCorrections(file, layout)
	if err != nil {
		return nil, err
	}
	out := &Corrections{File: file}
	r.out.Corrections = out
	ever := overlaid(list)
	since := overlaid(slices.DeleteFunc(list, func(x rows.Correction) bool {
		return c != nil && !x.Time.IsZero() && !x.Time.After(c.published)
	}))
	out.Since = len(since)
	rest, met := dedup.RemoveOverlap(since, gold)
	out.Gold = met
	if out.Against = contradictions(ever, gold); out.Against > 0 {
		r.note("%d corrections contradict the gold set: the gold set counts; mend whichever is wrong", out.Against)
	}
	if challenger != nil {
		for _, side := range []string{"train", "val"} {
			used, err := r.output(ctx, challenger, "split", side)
			if err != nil {
				return nil, err
			}
			rest, met = dedup.RemoveOverlap(rest, used)
			out.Trained += met
		}
	}
	out.Measured = len(rest)
	return rest, nil
}

// overlay is the file of corrections that the plan's label stage names, and how it is
// written; empty if it names none.
func (r *refresh) overlay() (string, rows.Layout) {
	for _, node := range r.Graph.Nodes {
		if o, ok := node.Options.(*label.Options); ok && slices.Contains(o.Source, "overlay") {
			return o.Overlay.File, o.Layout()
		}
	}
	return "", rows.Layout{}
}

func (r *refresh) readCorrections(path string, layout rows.Layout) ([]rows.Correction, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "`sprint review import` writes one", "cannot read the corrections: %w", err)
	}
	defer f.Close()
	layout.Format, _ = rows.FormatOf(path)
	list, err := rows.ReadOverlay(f, layout, dataset.Categories(r.taxonomy))
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, rows.HintOf(err, "mend the file"), "%s: %w", path, err)
	}
	slices.SortStableFunc(list, func(a, b rows.Correction) int { return a.Time.Compare(b.Time) })
	return list, nil
}

// overlaid are the rows of corrections, each once; the later one of a category of a row
// counts.
func overlaid(list []rows.Correction) []rows.Row {
	var out []rows.Row
	at := map[string]int{} // by identity
	for _, x := range list {
		name := rows.Identity(x.Row)
		i, known := at[name]
		if !known {
			at[name] = len(out)
			x.Row.Labels = slices.Clone(x.Row.Labels)
			out = append(out, x.Row)
			continue
		}
		for k, l := range x.Labels {
			if !l.Abstain {
				out[i].Labels[k] = l
			}
		}
	}
	return out
}

// contradictions counts corrected rows that are also gold, by identity or title, and whose
// labels say otherwise.
func contradictions(corrected, gold []rows.Row) (n int) {
	byName := map[string]rows.Row{}
	for _, g := range gold {
		byName[rows.Identity(g)], byName["title:"+rows.TitleKey(g.Title)] = g, g
	}
	for _, x := range corrected {
		g, ok := byName[rows.Identity(x)]
		if !ok && x.Title != "" {
			g, ok = byName["title:"+rows.TitleKey(x.Title)]
		}
		if ok && otherwise(x.Labels, g.Labels) {
			n++
		}
	}
	return n
}

func otherwise(a, b []rows.Label) bool {
	for k := range a {
		if !a[k].Abstain && !b[k].Abstain && (a[k].Score > 0) != (b[k].Score > 0) {
			return true
		}
	}
	return false
}

// named fills in what a correction does not repeat of its row: titles and descriptions of
// rows that a run fetched. Rows without a title cannot be asked and are left out.
func named(corrected []rows.Row, fetched []rows.Row) []rows.Row {
	byName := map[string]rows.Row{}
	for _, x := range fetched {
		byName[rows.Identity(x)] = x
	}
	var out []rows.Row
	for _, x := range corrected {
		if y, ok := byName[rows.Identity(x)]; ok {
			x.Title, x.Description, x.Language = y.Title, y.Description, y.Language
		}
		if x.Title != "" {
			out = append(out, x)
		}
	}
	return out
}

// String is a line of the report.
func (c *Corrections) String() string {
	return fmt.Sprintf("%d rows corrected since the champion: %d are gold, %d trained the challenger, %d measure both", c.Since, c.Gold, c.Trained, c.Measured)
}
