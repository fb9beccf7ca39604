// Package split parts labelled rows into train, val and test.
package split

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Kind returns the kind "split".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "split",
		Version: 1,
		Doc: `Parts labelled rows into train, val and test.
Near-duplicates stay on one side, every category is spread by the ratios, rare
ones first, and rows of the gold set that verify measures against are removed,
so they never train. The same rows and seed give the same files.`,
		Example: "ratios: {train: 0.7, val: 0.15, test: 0.15}\nseed: 7\nstratify: true\n",
		Inputs:  func(any) []stages.Input { return []stages.Input{{Name: "labelled"}} },
		Outputs: func(any) []stages.Output {
			return []stages.Output{{Name: "train"}, {Name: "val"}, {Name: "test"}}
		},
		Options: func() any { return new(Options) },
		New: func(options any, env stages.Env) (stages.Stage, error) {
			return &stage{o: options.(*Options), env: env}, nil
		},
	}
}

// Options of split.
type Options struct {
	Ratios    Ratios  `yaml:"ratios" doc:"share of the rows on each side; together 1"`
	Seed      int64   `yaml:"seed" default:"1" doc:"another seed, another split"`
	Stratify  bool    `yaml:"stratify" default:"true" doc:"spread the positives of every category by the ratios"`
	ByTime    bool    `yaml:"by_time" default:"false" doc:"oldest rows train, newest test, by seen_at; replaces seed and stratify"`
	Gold      string  `yaml:"gold" path:"true" like:"verify.gold" key:"-" doc:"gold set (csv, jsonl, parquet) whose rows are removed; by default the one that verify measures against"`
	NearDups  bool    `yaml:"near_duplicates" default:"true" doc:"keep near-duplicates on one side"`
	Threshold float64 `yaml:"threshold" default:"0.7" min:"0.5" max:"1" doc:"similarity (Jaccard of four-letter shingles) from which two titles are near-duplicates"`
}

// Ratios are the shares of the three sides.
type Ratios struct {
	Train float64 `yaml:"train" default:"0.7" above:"0" below:"1" doc:"share that trains"`
	Val   float64 `yaml:"val" default:"0.15" above:"0" below:"1" doc:"share for early stop and thresholds"`
	Test  float64 `yaml:"test" default:"0.15" above:"0" below:"1" doc:"share that verify measures on"`
}

// Check refuses ratios that do not sum to 1.
func (o *Options) Check() []stages.Problem {
	var out []stages.Problem
	if sum := o.Ratios.Train + o.Ratios.Val + o.Ratios.Test; math.Abs(sum-1) > 1e-6 {
		out = append(out, stages.Problem{Path: "ratios", Message: fmt.Sprintf("the ratios sum to %.4g, not 1", sum), Hint: "for example {train: 0.7, val: 0.15, test: 0.15}"})
	}
	if o.Gold != "" {
		if _, ok := rows.FormatOf(o.Gold); !ok {
			out = append(out, stages.Problem{Path: "gold", Message: fmt.Sprintf("%s: the extension does not tell the format", o.Gold), Hint: "use a .csv, .jsonl or .parquet file"})
		}
	}
	return out
}

// Resolve keys the gold set by its bytes.
func (o *Options) Resolve(ctx context.Context, look stages.Lookup) (stages.External, error) {
	if o.Gold == "" {
		return nil, nil
	}
	info, err := look.File(ctx, o.Gold)
	if err != nil {
		return nil, err
	}
	return stages.External{"gold": info.Digest}, nil
}

type stage struct {
	o   *Options
	env stages.Env
}

// Run reads labelled and writes the three sides.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	r, err := in.Open(ctx, "labelled")
	if err != nil {
		return err
	}
	defer r.Close()
	all, cats, err := rows.DecodeParquet(r)
	if err != nil {
		return fmt.Errorf("labelled rows: %w", err)
	}
	gold, err := s.gold(ctx)
	if err != nil {
		return err
	}
	kept, groups, removed := part(all, gold, s.o)
	s.env.Note("gold_rows_removed", removed)
	if removed > 0 {
		s.env.Log.Info("removed rows of the gold set", slog.Int("rows", removed))
	}
	if len(kept) == 0 {
		return stages.Fail(stages.CodeStage, "Fetch more rows, or rows that are not in the gold set.", "no rows to split: %d came in, %d of them are gold", len(all), removed)
	}
	if err := s.warnCategories(kept, cats); err != nil {
		return err
	}
	side, err := s.assign(kept, groups, len(cats))
	if err != nil {
		return err
	}
	var sides [3][]rows.Row
	for i, r := range kept {
		sides[side[i]] = append(sides[side[i]], r)
	}
	for i, name := range sideNames {
		if len(sides[i]) == 0 {
			return stages.Fail(stages.CodeStage, "Fetch more rows or change the ratios.", "the side %s is empty: %d rows in %d groups of near-duplicates do not fill three sides", name, len(kept), countGroups(groups))
		}
	}
	for i, name := range sideNames {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := write(ctx, out, name, sides[i], cats); err != nil {
			return err
		}
		s.env.Note(name+"_rows", len(sides[i]))
	}
	s.env.Progress(stages.Progress{Done: int64(len(kept)), Total: int64(len(kept)), Unit: "rows"})
	return nil
}

var sideNames = [3]string{"train", "val", "test"}

func write(ctx context.Context, out stages.Outputs, name string, side []rows.Row, cats []string) error {
	w, err := out.Create(ctx, name, "application/vnd.apache.parquet")
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := rows.WriteParquet(w, side, cats); err != nil {
		return err
	}
	return w.Commit()
}

func (s *stage) gold(ctx context.Context) ([]rows.Row, error) {
	if s.o.Gold == "" {
		return nil, nil
	}
	r, err := s.env.Files.Open(ctx, s.o.Gold)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	format, _ := rows.FormatOf(s.o.Gold)
	g, err := rows.ReadGold(io.Reader(r), format, nil)
	if err != nil {
		return nil, stages.Fail(stages.CodeStage, "Mend the file, or leave the option gold out.", "gold set %s: %w", s.o.Gold, err)
	}
	return g.Rows, nil
}

// warnCategories says which categories cannot be learned, and refuses a table
// in which none can.
func (s *stage) warnCategories(kept []rows.Row, cats []string) error {
	positives := 0
	for c, name := range cats {
		n := 0
		for i := range kept {
			if positive(kept[i], c) {
				n++
			}
		}
		positives += n
		if n == 0 {
			s.env.Log.Warn("category has no positives: it cannot be learned", slog.String("category", name))
		}
	}
	if positives == 0 {
		return stages.Fail(stages.CodeStage, "See the coverage in the label stage's label_report; widen the rules or fetch other rows.", "one class only: none of %d rows is positive in any of %d categories", len(kept), len(cats))
	}
	return nil
}

func positive(r rows.Row, c int) bool {
	return c < len(r.Labels) && !r.Labels[c].Abstain && r.Labels[c].Score > 0
}
