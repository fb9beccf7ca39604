// Package label gives each row a label per category, by the taxonomy's rules
// or from columns that the rows carry already.
package label

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Kind returns the kind "label".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "label",
		Version: 1,
		Doc: `Gives each row a score and a tag per category.
With source rules, the rules of the taxonomy decide: the score of a category is
the weight of its strongest rule that fires, 0 if none does. A row on which no
rule of any category fires is abstained, not negative: nobody looked at it.
With source columns, the labels that the rows carry are kept. Every row records
which rules fired; label_report counts coverage, overlap and rules that never
fire.`,
		Example: "source: rules\nrules: taxonomy\n",
		Inputs:  func(any) []stages.Input { return []stages.Input{{Name: "articles"}} },
		Outputs: func(any) []stages.Output { return []stages.Output{{Name: "labelled"}, {Name: "label_report"}} },
		Options: func() any { return new(Options) },
		New: func(options any, env stages.Env) (stages.Stage, error) {
			return &stage{o: options.(*Options), env: env}, nil
		},
	}
}

// Options of label.
type Options struct {
	Source  string `yaml:"source" default:"rules" enum:"rules|columns" doc:"rules: the taxonomy's rules; columns: labels that the rows carry"`
	Rules   string `yaml:"rules" default:"taxonomy" enum:"taxonomy" when:"source=rules" doc:"where the rules come from: the plan's taxonomy"`
	Abstain bool   `yaml:"abstain" default:"true" when:"source=rules" doc:"a row on which no rule fires is undecided; false makes it negative everywhere"`
}

// Resolve keys the stage by the rules, or by the categories alone.
func (o *Options) Resolve(_ context.Context, look stages.Lookup) (stages.External, error) {
	t, err := Taxonomy(look.Taxonomy())
	if err != nil {
		return nil, err
	}
	ext := stages.External{"categories": t.CategoriesKey()}
	if o.Source == "rules" {
		ext["rules"] = t.RulesKey()
	}
	return ext, nil
}

// Taxonomy parses a plan's taxonomy; mistakes come as stages.SourceProblems.
func Taxonomy(src stages.Source) (*taxonomy.Taxonomy, error) {
	if len(src.Data) == 0 {
		return nil, stages.Fail(stages.CodePlan, "add `taxonomy: taxonomy.yaml` to the plan", "the plan names no taxonomy")
	}
	t, problems := taxonomy.Parse(src.Data)
	if len(problems) == 0 {
		return t, nil
	}
	var out stages.SourceProblems
	for _, p := range problems {
		out = append(out, stages.SourceProblem{File: src.Name, Line: p.Line, Col: p.Col, Message: p.Message, Hint: p.Hint})
	}
	return nil, out
}

type stage struct {
	o   *Options
	env stages.Env
}

// Run reads articles and writes labelled and label_report.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	t, err := Taxonomy(s.env.Taxonomy)
	if err != nil {
		return err
	}
	r, err := in.Open(ctx, "articles")
	if err != nil {
		return err
	}
	defer r.Close()
	articles, columns, err := rows.DecodeParquet(r)
	if err != nil {
		return fmt.Errorf("read articles: %w", err)
	}
	report := newReport(t)
	if s.o.Source == "columns" {
		err = s.keep(t, articles, columns, report)
	} else {
		s.apply(ctx, t, articles, report)
	}
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	report.finish(t)
	if report.Covered == 0 {
		return stages.Fail(stages.CodeStage, "`sprint classify` on a few titles shows what the rules find; widen them, or check that rules and rows are of one language",
			"none of %d rows got a label", len(articles))
	}
	for _, c := range t.Categories {
		if report.Categories[c.Name].Positives == 0 {
			s.env.Log.Warn("no row is positive for this category: the model cannot learn it", "category", c.Name)
		}
	}
	s.env.Log.Info("labelled", "rows", report.Rows, "covered", report.Covered, "several_categories", report.Overlap)
	s.env.Note("label", map[string]any{"rows": report.Rows, "covered": report.Covered})
	w, err := out.Create(ctx, "labelled", "application/vnd.apache.parquet")
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := rows.WriteParquet(w, articles, t.Names()); err != nil {
		return fmt.Errorf("write labelled: %w", err)
	}
	if err := w.Commit(); err != nil {
		return err
	}
	return writeReport(ctx, out, report)
}

// apply labels every row by the rules.
func (s *stage) apply(ctx context.Context, t *taxonomy.Taxonomy, articles []rows.Row, report *Report) {
	m := keywords.New(t)
	var res keywords.Result
	for i := range articles {
		if i%1024 == 0 {
			if ctx.Err() != nil {
				return
			}
			s.env.Progress(stages.Progress{Done: int64(i), Total: int64(len(articles)), Unit: "rows"})
		}
		row := &articles[i]
		m.Match(&res, row.Title, row.Description)
		row.Labels = make([]rows.Label, len(t.Categories))
		row.Rules, row.LabelSource = nil, ""
		fired := res.Any()
		for c := range t.Categories {
			row.Labels[c] = rows.Label{Score: res.Scores[c], Tag: t.Categories[c].Tags[res.Tags[c]], Abstain: s.o.Abstain && !fired}
		}
		if fired {
			row.LabelSource = "rules"
		}
		for _, h := range res.Fired {
			rule := &t.Rules[h.Rule]
			id := t.Categories[rule.Category].Name + ":" + rule.ID
			if !slices.Contains(row.Rules, id) {
				row.Rules = append(row.Rules, id)
			}
		}
		report.add(t, row)
	}
	s.env.Progress(stages.Progress{Done: int64(len(articles)), Total: int64(len(articles)), Unit: "rows"})
}

// keep takes the labels of the rows' own columns, in the taxonomy's order.
func (s *stage) keep(t *taxonomy.Taxonomy, articles []rows.Row, columns []string, report *Report) error {
	place := make([]int, len(t.Categories))
	for c, category := range t.Categories {
		if place[c] = slices.Index(columns, category.Name); place[c] < 0 {
			return stages.Fail(stages.CodeStage, "use `label: {with: {source: rules}}`, or add the columns "+category.Name+"_score and "+category.Name+"_tag", "the rows carry no labels of category %s", category.Name)
		}
	}
	for i := range articles {
		row := &articles[i]
		labels := make([]rows.Label, len(t.Categories))
		for c := range t.Categories {
			if row.Labels == nil {
				labels[c] = rows.Label{Abstain: true}
				continue
			}
			l := row.Labels[place[c]]
			if t.Categories[c].TagIndex(l.Tag) < 0 {
				return stages.Fail(stages.CodeStage, "add the tag to the taxonomy, or mend the rows", "row %q has the tag %q, which category %s does not have", row.Title, l.Tag, t.Categories[c].Name)
			}
			labels[c] = l
		}
		row.Labels = labels
		if row.LabelSource == "" {
			row.LabelSource = "columns"
		}
		report.add(t, row)
	}
	return nil
}

func writeReport(ctx context.Context, out stages.Outputs, report *Report) error {
	w, err := out.Create(ctx, "label_report", "application/json")
	if err != nil {
		return err
	}
	defer w.Abort()
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(report); err != nil {
		return err
	}
	return w.Commit()
}
