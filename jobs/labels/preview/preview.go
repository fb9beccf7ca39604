// Package preview says what the rules of a plan's taxonomy do, without a run: on
// texts, on a sample of the plan's rows, against a gold set, or by their tests.
//
//   - preview.go: what is asked and what is answered
//   - match.go: one text, and a file of rule tests
//   - sample.go: a sample and a gold set; articles.go: where the rows come from
package preview

import (
	"context"
	"log/slog"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/labels"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows/titles"
	"github.com/sprint-ml/sprint/storage"
)

// Options say what the rules are applied to: Texts if there are any, else the
// rule tests of a file, else a sample.
type Options struct {
	Plan  *config.Plan
	Graph *graph.Graph
	// Store is where fetch may have committed rows; nil if there is none to look
	// into.
	Store *storage.Store
	Cache string // folder of the machine's caches
	Log   *slog.Logger

	Texts  []string
	Sample int    // rows to look at, drawn at random; 0 is all
	Show   int    // rows to show
	Of     string // shows rows of a category or category:rule, or none
	Gold   string // path of a gold set to measure the rules on
	Tests  string // path of a file of rule tests
}

// Preview is the content of -o json.
type Preview struct {
	Taxonomy string          `json:"taxonomy"`
	Warnings []Warning       `json:"warnings,omitempty"`
	Texts    []Text          `json:"texts,omitempty"`
	Sample   *Sample         `json:"sample,omitempty"`
	Gold     *metrics.Report `json:"gold,omitempty"`
	Tests    *Tests          `json:"tests,omitempty"`
}

// Warning is what looks wrong in a valid taxonomy.
type Warning struct {
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Text is what the rules say of one text.
type Text struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// Language is that by whose rules it was read, or the one that its source gives; empty if
	// nobody says.
	Language   string           `json:"language,omitempty"`
	Categories map[string]Label `json:"categories"`
	Fired      []Hit            `json:"fired"`
	Dropped    []Hit            `json:"dropped,omitempty"`

	// Of names the categories, and as category:rule the rules, that fired.
	Of []string `json:"-"`
}

// Label is the answer about a category.
type Label struct {
	Score float64 `json:"score"`
	Tag   string  `json:"tag"`
}

// Hit is a place on which a rule fired; Start and End count bytes of the field.
type Hit struct {
	Rule   string  `json:"rule"`
	Tag    string  `json:"tag,omitempty"`
	Weight float64 `json:"weight"`
	Field  string  `json:"field"`
	Start  int     `json:"start"`
	End    int     `json:"end"`
	Words  string  `json:"words"`
	// Reason says why a hit does not count: negation, except or not.
	Reason string `json:"reason,omitempty"`
}

// Sample is what the rules say of rows of the plan.
type Sample struct {
	From string `json:"from"`
	// All counts the rows that there are, GoldOut those left out as gold.
	All     int `json:"all"`
	GoldOut int `json:"gold_left_out"`
	*keywords.Survey
	// Languages counts the rows by language, where some have one.
	Languages map[string]int `json:"languages,omitempty"`
	Shown     []Text         `json:"shown,omitempty"`
	// Words are those that tell the rows without a category from the others; --of none
	// asks for them.
	Words []string `json:"words,omitempty"`
}

// Tests are rule tests that were run.
type Tests struct {
	File   string       `json:"file"`
	Run    int          `json:"run"`
	Failed []FailedTest `json:"failed"`
}

// FailedTest is a rule test that failed, and what fired.
type FailedTest struct {
	Line  int    `json:"line"`
	Wrong string `json:"wrong"`
	Text  Text   `json:"text"`
}

// Run applies the rules. Mistakes of the taxonomy point into its file.
func Run(ctx context.Context, o Options) (*Preview, error) {
	if _, err := labels.CheckTaxonomy(o.Graph); err != nil {
		return nil, err
	}
	src := o.Graph.Taxonomy()
	t, err := dataset.Taxonomy(src)
	if err != nil {
		return nil, err
	}
	p := &matcher{ctx: ctx, o: o, rules: keywords.New(t), res: keywords.Result{Explain: true}}
	out := &Preview{Taxonomy: src.Name}
	for _, w := range t.Warnings {
		out.Warnings = append(out.Warnings, Warning(w))
	}
	switch {
	case len(o.Texts) > 0:
		for _, text := range o.Texts {
			title := titles.Normalize(text)
			p.rules.Match(&p.res, title, "")
			out.Texts = append(out.Texts, p.result(title, ""))
		}
	case o.Tests != "":
		out.Tests, err = p.tests()
	default:
		err = p.survey(out)
	}
	return out, err
}
