// Package verify measures a model on the test split and on a gold set, next to
// the keywords and majority baselines, and decides whether it is good enough.
package verify

import (
	"context"
	"fmt"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Kind returns the kind "verify".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "verify",
		Version: 1,
		Doc: `Measures the model and fails the run (code 5) if a check does not hold.
Figures are precision, recall and F1 per category, macro-F1 over categories with
at least 8 positives, micro-F1 and tag accuracy: on the test split, whose labels
the rules made, and on a gold set labelled by hand, next to what the rules alone
and the more frequent value reach. masked is the model on texts whose rule words
are hidden. A failed check commits all figures; a re-run measures nothing again.`,
		Example: "gold: gold.csv\nchecks:\n  - {id: macro_f1, on: gold, min: 0.60}\n  - {id: gain, on: gold, over: keywords, min: 0.05}\n",
		Inputs: func(any) []stages.Input {
			return []stages.Input{{Name: "model"}, {Name: "thresholds"}, {Name: "train"}, {Name: "test"}}
		},
		Outputs: func(any) []stages.Output {
			return []stages.Output{{Name: "metrics"}, {Name: "checks"}, {Name: "timings", Volatile: true}}
		},
		Options: func() any { return new(Options) },
		New: func(options any, env stages.Env) (stages.Stage, error) {
			return &stage{o: options.(*Options), env: env}, nil
		},
		Isolated: stages.Always,
	}
}

// Options of verify.
type Options struct {
	Gold   string  `yaml:"gold" path:"true" key:"-" doc:"gold set: csv, jsonl or parquet with url or id, title, and per category a 0/1 column and <category>_tag"`
	Checks []Check `yaml:"checks" required:"true" min:"1" doc:"what must hold; at least one"`
}

// Check is one demand on the figures.
type Check struct {
	ID       string   `yaml:"id" required:"true" enum:"macro_f1|micro_f1|precision|recall|f1|tag_accuracy|gain|support|masked_gap|reload|leak" doc:"what is measured"`
	On       string   `yaml:"on" default:"test" enum:"test|gold" doc:"the rows it is measured on"`
	Over     string   `yaml:"over" enum:"keywords|majority" doc:"gain: the baseline whose macro-F1 is subtracted"`
	Category string   `yaml:"category" doc:"precision, recall, f1, support, tag_accuracy: of this category"`
	Min      *float64 `yaml:"min" doc:"the least value that passes"`
	Max      *float64 `yaml:"max" doc:"the largest value that passes"`
	Severity string   `yaml:"severity" default:"error" enum:"error|warn" doc:"error fails the run, warn only says so"`
}

// Check refuses checks that could not be evaluated.
func (o *Options) Check() []stages.Problem {
	var out []stages.Problem
	fail := func(i int, field, message, hint string) {
		out = append(out, stages.Problem{Path: fmt.Sprintf("checks.%d.%s", i, field), Message: message, Hint: hint})
	}
	for i, c := range o.Checks {
		if c.On == "gold" && o.Gold == "" {
			fail(i, "on", "the check is on gold, but no gold set is named", "add `gold: FILE` to verify, or measure on test")
		}
		switch c.ID {
		case "precision", "recall", "f1", "support":
			if c.Category == "" {
				fail(i, "category", c.ID+" is of one category", "add `category: NAME`; the average of all is macro_f1")
			}
		case "tag_accuracy":
		default:
			if c.Category != "" {
				fail(i, "category", c.ID+" is of no single category", "remove it")
			}
		}
		if (c.ID == "gain") != (c.Over != "") {
			fail(i, "over", "gain, and no other check, is over a baseline", "for example {id: gain, on: gold, over: keywords, min: 0.05}")
		}
		limits := c.Min != nil || c.Max != nil
		switch c.ID {
		case "reload", "leak":
			if limits {
				fail(i, "id", c.ID+" holds or does not: it takes no min or max", "")
			}
		default:
			if !limits {
				fail(i, "id", "a check without min and max always passes", "add one of them")
			}
		}
		if c.Min != nil && c.Max != nil && *c.Min > *c.Max {
			fail(i, "min", "min is above max", "")
		}
	}
	if o.Gold != "" {
		if _, ok := rows.FormatOf(o.Gold); !ok {
			out = append(out, stages.Problem{Path: "gold", Message: fmt.Sprintf("%s: the extension does not tell the format", o.Gold), Hint: "use a .csv, .jsonl or .parquet file"})
		}
	}
	return out
}

// Resolve keys the stage by the taxonomy and the gold set's bytes.
func (o *Options) Resolve(ctx context.Context, look stages.Lookup) (stages.External, error) {
	t, err := label.Taxonomy(look.Taxonomy())
	if err != nil {
		return nil, err
	}
	ext := stages.External{"categories": t.CategoriesKey(), "rules": t.RulesKey()}
	for i, c := range o.Checks {
		if c.Category != "" && t.Index(c.Category) < 0 {
			return nil, stages.Fail(stages.CodePlan, fmt.Sprintf("its categories: %v", t.Names()), "checks.%d: the taxonomy has no category %q", i, c.Category)
		}
	}
	if o.Gold != "" {
		info, err := look.File(ctx, o.Gold)
		if err != nil {
			return nil, err
		}
		ext["gold"] = info.Digest
	}
	return ext, nil
}
