package label

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Overlay are the options of source overlay.
type Overlay struct {
	File    string `yaml:"file" required:"true" path:"true" key:"-" doc:"corrections (csv, jsonl, parquet): url, id or title; categories in a column label, or a score per category, empty where nothing is corrected, and <category>_tag; reviewer, time"`
	Unknown string `yaml:"unknown" default:"add" enum:"add|warn|stop" doc:"a correction of a row that is not there: add makes it a row, where the correction has a title; warn passes it over"`
}

// eachCorrection reads the corrections. Of two for one category of a row the later
// wins, in time or else in the file: what it says is a function of its bytes alone.
func (o *Options) eachCorrection(ctx context.Context, files stages.Files, t *taxonomy.Taxonomy, visit func(*rows.Correction)) error {
	r, err := files.Open(ctx, o.Overlay.File)
	if err != nil {
		return err
	}
	defer r.Close()
	layout := o.Layout()
	layout.Format, _ = rows.FormatOf(o.Overlay.File)
	if err = rows.EachCorrection(r, layout, dataset.Categories(t), visit); err != nil {
		return stages.Fail(stages.CodeStage, rows.HintOf(err, "mend the file; `sprint review import` writes one"), "overlay %s: %w", o.Overlay.File, err)
	}
	return nil
}

// corrected is an overlay beside the rows that it corrects.
type corrected struct {
	list []*rows.Correction
	of   [][]int // rows by correction, in the order of the list
	rows []rows.Row
	by   map[string][]int // rows by url, id and title
	held []bool           // corrections of rows that are gold: nothing is missing
	// count is what the report says.
	count *overlayCount
}

// correct reads the overlay and finds the rows that it means. With unknown: add, those that
// are not there join the rows, each once and in the order of the file; never one of the
// gold part.
func (s *stage) correct(ctx context.Context, t *taxonomy.Taxonomy, articles, gold []rows.Row) (*corrected, error) {
	var list []*rows.Correction // of millions a slice of them would be copied as it grows
	if err := s.o.eachCorrection(ctx, s.env.Files, t, func(c *rows.Correction) { list = append(list, c) }); err != nil {
		return nil, err
	}
	x := &corrected{list: list, of: make([][]int, len(list)), rows: articles, by: map[string][]int{}, count: &overlayCount{Corrections: len(list)}}
	for i := range articles {
		x.index(i)
	}
	x.hold(gold)
	now := time.Now() // the clock decides no label
	if i := slices.IndexFunc(list, func(c *rows.Correction) bool { return c.IsAhead(now) }); i >= 0 {
		ahead := list[i]
		s.env.Log.Warn("a correction is dated in the future and counts for more than every review until then", slog.String("file", s.o.Overlay.File), slog.Int("record", ahead.Number), slog.Time("time", ahead.Time))
	}
	for i := range list {
		if x.of[i] = x.find(i, s.o.Overlay.Unknown == "add"); x.of[i] == nil && !x.held[i] {
			if x.count.UnknownRows++; len(x.count.Unknown) < 5 {
				x.count.Unknown = append(x.count.Unknown, rows.Identity(list[i].Row))
			}
		}
	}
	x.count.Added = len(x.rows) - len(articles)
	return x, s.tellOverlay(x.count)
}

// tellOverlay says which corrections have no row, and refuses them where the plan does.
func (s *stage) tellOverlay(count *overlayCount) error {
	if count.Added > 0 {
		s.env.Log.Info("corrected rows that the sources did not give join the others", slog.Int("rows", count.Added))
	}
	if count.UnknownRows == 0 {
		return nil
	}
	if s.o.Overlay.Unknown == "stop" {
		return stages.Fail(stages.CodeStage, "remove them, or set overlay.unknown: add or warn", "%d of %d corrections in %s name rows that are not there, for example %s", count.UnknownRows, count.Corrections, s.o.Overlay.File, count.Unknown[0])
	}
	s.env.Log.Warn("corrections name rows that are not there", slog.Int("corrections", count.UnknownRows), slog.String("example", count.Unknown[0]))
	return nil
}

// index makes a row known by its names.
func (x *corrected) index(i int) {
	r := &x.rows[i]
	for _, name := range []string{"url:" + r.URL, "id:" + r.ID, "title:" + rows.TitleKey(r.Title)} {
		x.by[name] = append(x.by[name], i)
	}
}

// hold finds the corrections of gold rows.
func (x *corrected) hold(gold []rows.Row) {
	if x.held = make([]bool, len(x.list)); len(gold) > 0 {
		x.held = dedup.Overlap(len(x.list), func(i int) *rows.Row { return &x.list[i].Row }, gold)
	}
}

// find is the rows that a correction means; nil if there are none. With add it is the row
// of the same title that has another address, else a new one.
func (x *corrected) find(i int, add bool) []int {
	c := x.list[i]
	if known := x.by[rows.Identity(c.Row)]; known != nil || !add || c.Title == "" || x.held[i] {
		return known
	}
	if same := x.by["title:"+rows.TitleKey(c.Title)]; same != nil {
		return same
	}
	if !slices.ContainsFunc(c.Labels, func(l rows.Label) bool { return !l.Abstain }) {
		return nil
	}
	r := c.Row
	r.Labels = nil
	if r.SeenAt == "" && !c.Time.IsZero() { // it was seen by then, and a split by time asks
		r.SeenAt = c.Time.UTC().Format(time.RFC3339)
	}
	x.rows = append(x.rows, r)
	x.index(len(x.rows) - 1)
	return []int{len(x.rows) - 1}
}

// applyOverlay applies corrections to the rows, before any other source is asked.
func (b *assembly) applyOverlay(x *corrected) {
	order := make([]int, len(x.list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return x.list[i].Time.Compare(x.list[j].Time) })
	touched := map[int]bool{}
	for _, i := range order {
		for _, row := range x.of[i] {
			for category, l := range x.list[i].Labels {
				if !l.Abstain {
					touched[row] = true
					b.set(row, category, l, sourceOverlay)
				}
			}
		}
	}
	x.count.Rows = len(touched)
	b.report.Overlay = x.count
	if b.model.Exclusive {
		for row := range touched {
			b.excludeOthers(row)
		}
	}
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
