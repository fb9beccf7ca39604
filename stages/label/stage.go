package label

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
)

type stage struct {
	o   *Options
	env stages.Env
	// pause is the wait before a request is tried again; tests shorten it.
	pause time.Duration
}

// Preflight reads the files that people write, so that a mistake in one is
// found before rows are fetched.
func (s *stage) Preflight(ctx context.Context) error {
	t, err := dataset.Taxonomy(s.env.Taxonomy)
	if err != nil {
		return err
	}
	if s.o.uses(sourceOverlay) {
		if err := s.o.eachCorrection(ctx, s.env.Files, t, func(*rows.Correction) {}); err != nil { // they are held once it runs
			return err
		}
	}
	if s.o.Gold != "" {
		if _, err := rows.OpenGold(ctx, s.env.Files, s.o.Gold, s.o.Layout(), dataset.Categories(t)); err != nil {
			return err
		}
	}
	if s.o.uses(sourceHTTP) {
		if _, err := s.o.HTTP.client(s.env, s.pause); err != nil {
			return err
		}
	}
	if s.o.uses(sourceEncoder) {
		dev, err := resources.OpenDevice(ctx, s.env, s.env.Device)
		if err != nil {
			return err
		}
		defer dev.Close()
		_, err = resources.FetchEncoder(ctx, s.env, s.o.Encoder.Model)
		return err
	}
	return nil
}

// Run reads articles and writes labelled and label_report.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	t, err := dataset.Taxonomy(s.env.Taxonomy)
	if err != nil {
		return err
	}
	articles, columns, err := storeio.ReadRows(ctx, in, "articles")
	if err != nil {
		return err
	}
	b, err := s.label(ctx, t, articles, columns)
	if err != nil {
		return err
	}
	if err := s.checkCoverage(t, b.report); err != nil {
		return err
	}
	if err := storeio.WriteRows(ctx, out, "labelled", b.rows, t.Names()); err != nil {
		return err
	}
	return storeio.WriteJSON(ctx, out, "label_report", b.report)
}

// label asks the sources.
func (s *stage) label(ctx context.Context, t *taxonomy.Taxonomy, articles []rows.Row, columns []string) (*assembly, error) {
	var gold []rows.Row
	var count *goldCount
	var err error
	if s.o.Gold != "" {
		count = &goldCount{}
		if gold, articles, err = s.gold(ctx, t, articles, count); err != nil {
			return nil, err
		}
	}
	var overlay *corrected
	if s.o.uses(sourceOverlay) {
		if overlay, err = s.correct(ctx, t, articles, gold); err != nil {
			return nil, err
		}
		articles = overlay.rows
	}
	languages := s.findLanguages(t, articles)
	b := newAssembly(t, articles, s.o)
	b.report.Gold = count
	sources, err := s.sources(t, columns, b)
	if err != nil {
		return nil, err
	}
	defer closeAll(sources)
	b.model.Weights = b.voters.weights
	if gold != nil {
		if err := b.learnWeights(ctx, s.weighedSources(sources), gold, count); err != nil {
			return nil, err
		}
	}
	if overlay != nil {
		b.applyOverlay(overlay)
	}
	together := slices.Collect(slices.Chunk(sources, 1))
	if s.o.Combine == "vote" {
		together = [][]source{sources}
	}
	for _, voting := range together {
		if err := b.ask(ctx, voting, s.env.Progress); err != nil {
			return nil, err
		}
	}
	b.finish(s.o.Abstain)
	if languages {
		s.addLanguages(t, b)
	}
	return b, nil
}

// gold reads the gold part, without the rows that verify scores, and parts the
// articles from it.
func (s *stage) gold(ctx context.Context, t *taxonomy.Taxonomy, articles []rows.Row, count *goldCount) (gold, rest []rows.Row, err error) {
	g, err := rows.OpenGold(ctx, s.env.Files, s.o.Gold, s.o.Layout(), dataset.Categories(t))
	if err != nil {
		return nil, nil, err
	}
	gold = g.Rows
	if s.o.Scored != "" {
		scored, err := rows.OpenGold(ctx, s.env.Files, s.o.Scored, s.o.Layout(), nil)
		if err != nil {
			return nil, nil, err
		}
		gold, count.Scored = dedup.RemoveOverlap(gold, scored.Rows)
		if count.Scored > 0 {
			s.env.Log.Warn("rows of the gold part meet the gold set that verify scores: left out", slog.Int("rows", count.Scored), slog.Int("kept", len(gold)))
		}
	}
	if len(gold) == 0 {
		return nil, nil, stages.Fail(stages.CodeStage, "set other rows aside for it", "every row of the gold part %s is also in %s, which verify scores", s.o.Gold, s.o.Scored)
	}
	rest, count.Removed = dedup.RemoveOverlap(articles, gold)
	count.Rows = len(gold)
	s.env.Note("gold_rows_removed", count.Removed)
	if len(rest) == 0 {
		return nil, nil, stages.Fail(stages.CodeStage, "fetch rows that are not in the gold part", "all %d rows are in the gold part %s, which never trains", len(articles), s.o.Gold)
	}
	return gold, rest, nil
}

// weighedSources are the sources that the gold part weighs: all that vote together; of
// a chain not those that cost money, since there they decide alone.
func (s *stage) weighedSources(sources []source) []source {
	if s.o.Combine == "vote" {
		return sources
	}
	return slices.DeleteFunc(slices.Clone(sources), func(x source) bool { _, paid := x.(*httpSource); return paid })
}

// sources makes the labellers that vote, in the plan's order.
func (s *stage) sources(t *taxonomy.Taxonomy, columns []string, b *assembly) (out []source, err error) {
	for _, name := range s.o.Source {
		weight, given := s.o.Weights[name]
		switch {
		case !given && name == sourceEncoder:
			weight = encoderWeight
		case !given:
			weight = 1
		}
		var made source
		switch name {
		case sourceRules:
			made = newRules(t, &b.voters, weight)
		case sourceColumns:
			made, err = s.newColumns(t, columns, b, weight)
		case sourceHTTP:
			made, err = newHTTP(s, t, b, weight)
		case sourceEncoder:
			made = newEncoder(s, t, b, weight)
		case sourceOverlay: // it does not vote
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return out, nil
}

// checkCoverage says what the labels lack.
func (s *stage) checkCoverage(t *taxonomy.Taxonomy, report *Report) error {
	if report.Covered == 0 {
		return stages.Fail(stages.CodeStage, "`sprint classify` on a few titles shows what the rules find; widen them, or check that rules and rows are of one language",
			"none of %d rows got a label", report.Rows)
	}
	var empty []string
	for _, c := range t.Categories {
		if report.Categories[c.Name].Positives == 0 {
			empty = append(empty, c.Name)
			s.env.Log.Warn("no row is positive for this category: the model cannot learn it", "category", c.Name)
		}
	}
	if len(empty) > 0 && s.o.Empty == "stop" {
		return stages.Fail(stages.CodeStage, "widen their rules, fetch other rows, or set without_positives: warn", "no row is positive for %s", strings.Join(empty, ", "))
	}
	s.env.Log.Info("labelled", "rows", report.Rows, "covered", report.Covered, "several_categories", report.Overlap, "conflicts", report.Conflicts)
	s.env.Note("label", map[string]any{"rows": report.Rows, "covered": report.Covered, "conflicts": report.Conflicts})
	return nil
}
