// Package split parts labelled rows into train, val and test.
//
// split.go is the kind and its options. partition.go groups the rows of a story and
// leaves out those of the gold set, assign.go gives each group a side, leaks.go
// looks for what still meets across sides, documents.go is split_report.json.
package split

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/filecheck"
	"github.com/sprint-ml/sprint/stages/storeio"
	"go.yaml.in/yaml/v4"
)

// Kind returns the kind "split".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "split",
		Version: 3,
		Doc: `Parts labelled rows into train, val and test.
Rows of one story (url, id, title or near-duplicate title) stay on one side,
which is drawn from the story and seed: with more rows, few of the others move.
Every category is spread by the ratios; where the taxonomy says labels: single, a row is
of its likeliest category alone. Rows whose story is in the gold set that
verify measures against are left out, so they never train. by_time cuts by the
rows' seen_at instead. split_report holds rows and positives of each side, the
largest stories, and what was found to meet across sides or the gold set, with
examples; pairs that are half alike and more are kept and listed there.`,
		Example: "ratios: {train: 0.7, val: 0.15, test: 0.15}\nseed: 7\nstratify: true\n",
		Inputs:  func(any) []stages.Input { return []stages.Input{{Name: "labelled"}} },
		Outputs: func(any) []stages.Output {
			return []stages.Output{{Name: "train"}, {Name: "val"}, {Name: "test"}, {Name: "split_report"}}
		},
		Effort:  func(any) (string, float64) { return "labelled", 1 },
		Options: func() any { return new(Options) },
		New:     func(options any, env stages.Env) stages.Stage { return &stage{o: options.(*Options), env: env} },
	}
}

// Options of split.
type Options struct {
	Ratios    Ratios            `yaml:"ratios" doc:"share of the rows on each side; together 1"`
	Seed      int64             `yaml:"seed" default:"1" doc:"another seed, another split"`
	Stratify  bool              `yaml:"stratify" default:"true" doc:"spread the positives of every category by the ratios; false draws for each story alone, so that no row ever moves when others come"`
	ByTime    bool              `yaml:"by_time" default:"false" doc:"oldest rows train, newest test, by seen_at; replaces seed and stratify"`
	Cuts      Cuts              `yaml:"cuts" doc:"by_time: where to cut, instead of by ratios"`
	Undated   string            `yaml:"undated" default:"refuse" enum:"refuse|train|drop" doc:"by_time: rows whose seen_at is no time fail the stage, train, or are left out"`
	Gold      string            `yaml:"gold" path:"true" like:"verify.gold" key:"-" doc:"gold set (csv, jsonl, parquet) whose rows are removed; by default the one that verify measures against"`
	Columns   map[string]string `yaml:"columns" like:"fetch.files.columns" key:"set" doc:"what the gold set calls columns, by our names, {title: subject, label: category}; by default as fetch's files, where it has such a column"`
	NearDups  bool              `yaml:"near_duplicates" default:"true" doc:"keep near-duplicates on one side"`
	Threshold float64           `yaml:"threshold" default:"0.7" min:"0.5" max:"1" doc:"similarity (Jaccard of four-letter shingles) from which two titles are near-duplicates"`
}

// Cuts are the moments at which a split by time begins val and test.
type Cuts struct {
	Val  string `yaml:"val" doc:"val holds what was seen from then on, as 2006-01-02 or 2006-01-02T15:04:05Z"`
	Test string `yaml:"test" doc:"test holds what was seen from then on"`
}

// times are the cuts; ok is false if there are none.
func (c Cuts) times() (val, test time.Time, ok bool) {
	val, ok = rows.SeenTime(c.Val)
	test, also := rows.SeenTime(c.Test)
	return val, test, ok && also
}

// Ratios are the shares of the three sides.
type Ratios struct {
	Train float64 `yaml:"train" default:"0.7" above:"0" below:"1" doc:"share that trains"`
	Val   float64 `yaml:"val" default:"0.15" above:"0" below:"1" doc:"share for early stop and thresholds"`
	Test  float64 `yaml:"test" default:"0.15" above:"0" below:"1" doc:"share that verify measures on"`
}

func (r Ratios) shares() [3]float64 { return [3]float64{r.Train, r.Val, r.Test} }

// Check refuses ratios that do not sum to 1, and cuts out of order.
func (o *Options) Check() []stages.Problem {
	var out stages.Problems
	sum := o.Ratios.Train + o.Ratios.Val + o.Ratios.Test
	out.If(math.Abs(sum-1) > 1e-6,
		"ratios", "for example {train: 0.7, val: 0.15, test: 0.15}", "the ratios sum to %.4g, not 1", sum)
	if o.Cuts != (Cuts{}) {
		const example = "for example {val: 2026-01-10, test: 2026-01-17}"
		val, test, ok := o.Cuts.times()
		out.If(!o.ByTime, "cuts", "add `by_time: true`, or remove them", "cuts count only with by_time")
		out.If(o.ByTime && !ok, "cuts", example, "the cuts %q and %q are not two times", o.Cuts.Val, o.Cuts.Test)
		out.If(o.ByTime && ok && !val.Before(test), "cuts", example, "val has to begin before test")
	}
	return slices.Concat(out, rows.CheckFormat("gold", o.Gold), rows.CheckColumns("columns", o.Columns))
}

// CheckFiles looks into the gold set.
func (o *Options) CheckFiles(context.Context, stages.Source) []stages.FileProblem {
	return filecheck.Gold("gold", o.Gold, rows.Layout{Columns: o.Columns}, nil)
}

// Resolve keys the gold set by its bytes.
func (o *Options) Resolve(ctx context.Context, lookup stages.Lookup) (stages.External, error) {
	ext := stages.External{}
	if oneLabel(lookup.Taxonomy()) {
		ext["labels"] = "single"
	}
	if o.Gold == "" && len(ext) == 0 {
		return nil, nil
	}
	return ext, ext.AddFile(ctx, lookup, "gold", o.Gold)
}

type stage struct {
	o   *Options
	env stages.Env
}

// empty says that a side got none of the rows, and whether drawing would give it some.
func (s *stage) empty(side int, p *partition, given int) error {
	hint := "fetch more rows or change the ratios or cuts"
	if s.o.Stratify && !s.o.ByTime && s.o.Ratios.shares()[side]*float64(len(p.groups)) >= 2 {
		hint = "few rows of each category cannot be spread over three sides: fetch more, or draw for each row alone with stratify: false"
	}
	return stages.Fail(stages.CodeStage, hint, "the side %s is empty: %d rows in %d groups of near-duplicates do not fill three sides", sideNames[side], given, len(p.groups))
}

// Run reads labelled and writes the three sides.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	all, cats, err := storeio.ReadRows(ctx, in, "labelled")
	if err != nil {
		return err
	}
	gold, err := s.gold(ctx)
	if err != nil {
		return err
	}
	p := newPartition(all, gold, s.o, len(cats), oneLabel(s.env.Taxonomy))
	removed := 0
	for _, l := range p.dropped {
		removed += l.Rows
	}
	s.env.Note("gold_rows_removed", removed)
	if removed > 0 {
		s.env.Log.Info("removed rows of the gold set", slog.Int("rows", removed))
	}
	if len(p.groups) == 0 {
		return stages.Fail(stages.CodeStage, "fetch more rows, or rows that are not in the gold set", "no rows to split: %d came in, %d of them are gold", len(all), removed)
	}
	if err := s.warnCategories(p, cats); err != nil {
		return err
	}
	if s.o.ByTime {
		if err := s.checkDated(p); err != nil {
			return err
		}
		p.assignByTime(s.o)
	} else {
		p.assign(s.o)
	}
	var sides [3][]rows.Row
	for i, r := range all {
		if p.groupOf[i] >= 0 {
			side := p.groups[p.groupOf[i]].side
			sides[side] = append(sides[side], r)
		}
	}
	for i := range sideNames {
		if len(sides[i]) == 0 {
			return s.empty(i, p, len(all)-removed)
		}
	}
	report := p.report(s.o, cats)
	s.logReport(report)
	for i, name := range sideNames {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := storeio.WriteRows(ctx, out, name, sides[i], cats); err != nil {
			return err
		}
		s.env.Note(name+"_rows", len(sides[i]))
	}
	if err := storeio.WritePlainJSON(ctx, out, "split_report", report); err != nil {
		return err
	}
	s.env.Progress(stages.Progress{Done: int64(len(all)), Total: int64(len(all)), Unit: "rows"})
	return nil
}

// checkDated refuses rows without a time, if the plan does not say what to do with
// them, and a table without any.
func (s *stage) checkDated(p *partition) error {
	undated, bad := 0, ""
	for i, t := range p.times {
		if t.IsZero() && p.groupOf[i] >= 0 {
			undated++
			bad = fmt.Sprintf("%q has seen_at %q", p.all[i].Title, p.all[i].SeenAt)
		}
	}
	if undated > 0 && s.o.Undated == "refuse" {
		return stages.Fail(stages.CodeStage, "set undated to train or drop, leave by_time out, or use a source that gives seen_at", "by_time: %d rows have no time; the row %s", undated, bad)
	}
	return nil
}

// largeShare is the share of all rows from which on one story is worth a warning.
const largeShare = 0.05

// logReport logs what is wrong with the sides.
func (s *stage) logReport(r *Report) {
	for _, l := range r.Leaks {
		if !l.Dropped && l.By != byClose {
			s.env.Log.Warn("rows of one side meet those of another and stay", slog.String("between", l.Between[0]+" and "+l.Between[1]), slog.String("by", l.By), slog.Int("rows", l.Rows), slog.String("example", l.Examples[0].Title))
		}
	}
	if len(r.Largest) > 0 && float64(r.Largest[0].Rows) > largeShare*float64(r.Rows) && r.Largest[0].Rows > maxExamples {
		s.env.Log.Warn("one group of near-duplicates is a large part of all rows: it stays on one side; raise threshold if these are different stories",
			slog.Int("rows", r.Largest[0].Rows), slog.Any("titles", r.Largest[0].Titles))
	}
}

// oneLabel reports whether a row has one label, as the plan's taxonomy says. The kinds
// that know taxonomies refuse a bad one; here this word of it counts alone.
func oneLabel(taxonomy stages.Source) bool {
	var head struct {
		Labels string `yaml:"labels"`
	}
	return len(taxonomy.Data) > 0 && yaml.Unmarshal(taxonomy.Data, &head) == nil && head.Labels == "single"
}

var sideNames = [3]string{"train", "val", "test"}

func (s *stage) gold(ctx context.Context) ([]rows.Row, error) {
	if s.o.Gold == "" {
		return nil, nil
	}
	g, err := rows.OpenGold(ctx, s.env.Files, s.o.Gold, rows.Layout{Columns: s.o.Columns}, nil)
	if err != nil {
		return nil, err
	}
	return g.Rows, nil
}

// warnCategories says which categories cannot be learned, and refuses a table
// in which none can.
func (s *stage) warnCategories(p *partition, cats []string) error {
	positives, kept := make([]int, len(cats)), 0
	for _, g := range p.groups {
		kept += len(g.rows)
		for c, n := range g.positives {
			positives[c] += n
		}
	}
	for c, name := range cats {
		if positives[c] == 0 {
			s.env.Log.Warn("category has no positives: it cannot be learned", slog.String("category", name))
		}
	}
	if slices.Max(append(positives, 0)) == 0 {
		return stages.Fail(stages.CodeStage, "see the coverage in the label stage's label_report; widen the rules or fetch other rows", "one class only: none of %d rows is positive in any of %d categories", kept, len(cats))
	}
	return nil
}
