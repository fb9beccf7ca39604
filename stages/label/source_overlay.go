package label

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Overlay are the options of source overlay.
type Overlay struct {
	File    string `yaml:"file" required:"true" path:"true" key:"-" doc:"corrections (csv, jsonl, parquet): url, id or title; categories in a column label, or a score per category, empty where nothing is corrected, and <category>_tag; reviewer, time"`
	Unknown string `yaml:"unknown" default:"warn" enum:"warn|stop" doc:"a correction of a row that is not there"`
}

// readOverlay reads the corrections. Of two for one category of a row the later
// wins, in time or else in the file: what it says is a function of its bytes alone.
func (o *Options) readOverlay(ctx context.Context, files stages.Files, t *taxonomy.Taxonomy) ([]rows.Correction, error) {
	r, err := files.Open(ctx, o.Overlay.File)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	layout := o.Layout()
	layout.Format, _ = rows.FormatOf(o.Overlay.File)
	list, err := rows.ReadOverlay(r, layout, dataset.Categories(t))
	if err != nil {
		return nil, stages.Fail(stages.CodeStage, rows.HintOf(err, "mend the file; `sprint review import` writes one"), "overlay %s: %w", o.Overlay.File, err)
	}
	return list, nil
}

// applyOverlay applies the overlay to the rows, before any other source is asked.
func (b *assembly) applyOverlay(ctx context.Context, s *stage) error {
	list, err := s.o.readOverlay(ctx, s.env.Files, b.t)
	if err != nil {
		return err
	}
	byName := map[string][]int{}
	for i := range b.rows {
		r := &b.rows[i]
		for _, name := range []string{"url:" + r.URL, "id:" + r.ID, "title:" + rows.TitleKey(r.Title)} {
			byName[name] = append(byName[name], i)
		}
	}
	count := &overlayCount{Corrections: len(list)}
	b.report.Overlay = count
	for _, c := range list {
		if name := rows.Identity(c.Row); len(byName[name]) == 0 {
			if count.UnknownRows++; len(count.Unknown) < 5 {
				count.Unknown = append(count.Unknown, name)
			}
		}
	}
	if c, ok := rows.Ahead(list, time.Now()); ok { // the clock decides no label
		s.env.Log.Warn("a correction is dated in the future and counts for more than every review until then", slog.String("file", s.o.Overlay.File), slog.Int("record", c.Number), slog.Time("time", c.Time))
	}
	slices.SortStableFunc(list, func(x, y rows.Correction) int { return x.Time.Compare(y.Time) })
	touched := map[int]bool{}
	for _, c := range list {
		for _, row := range byName[rows.Identity(c.Row)] {
			for category, l := range c.Labels {
				if !l.Abstain {
					touched[row] = true
					b.set(row, category, l, sourceOverlay)
				}
			}
		}
	}
	count.Rows = len(touched)
	if b.model.Exclusive {
		for row := range touched {
			b.excludeOthers(row)
		}
	}
	if count.UnknownRows == 0 {
		return nil
	}
	if s.o.Overlay.Unknown == "stop" {
		return stages.Fail(stages.CodeStage, "remove them, or set overlay.unknown: warn", "%d of %d corrections in %s name rows that are not there, for example %s", count.UnknownRows, len(list), s.o.Overlay.File, count.Unknown[0])
	}
	s.env.Log.Warn("corrections name rows that are not there", slog.Int("corrections", count.UnknownRows), slog.String("example", count.Unknown[0]))
	return nil
}

// excludeOthers makes a row's undecided categories absent once a reviewer gave
// it one.
func (b *assembly) excludeOthers(row int) {
	present := false
	for c := range b.t.Categories {
		present = present || b.by[row][c] != "" && b.labels[row][c].Score > 0
	}
	for c := range b.t.Categories {
		if present && b.by[row][c] == "" {
			b.set(row, c, rows.Label{}, sourceOverlay)
		}
	}
}
