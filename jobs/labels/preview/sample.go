package preview

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/report/advice"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
)

// tellingWords is how many words of rows without a category are shown.
const tellingWords = 20

// survey looks at a sample of the plan's rows and at the gold set.
func (p *matcher) survey(out *Preview) error {
	t := p.rules.Taxonomy()
	if err := p.checkOf(); err != nil {
		return err
	}
	s := &Sample{Survey: keywords.NewSurvey(p.rules)}
	var gold *rows.Gold
	if p.o.Gold != "" {
		var err error
		if gold, err = p.readGold(); err != nil {
			return err
		}
	}
	sample, from, err := p.articles()
	if err != nil {
		return err
	}
	s.From, s.All = from, len(sample)
	if gold != nil {
		sample = leaveOut(sample, gold.Rows)
		s.GoldOut = s.All - len(sample)
	}
	draw := rand.New(rand.NewPCG(1, uint64(len(sample)))) //nolint:gosec // the same sample every time
	draw.Shuffle(len(sample), func(i, j int) { sample[i], sample[j] = sample[j], sample[i] })
	if p.o.Sample > 0 && len(sample) > p.o.Sample {
		sample = sample[:p.o.Sample]
	}
	titles := map[bool][]string{} // by whether a category was found
	for i, r := range sample {
		if i%4096 == 0 && p.ctx.Err() != nil {
			return p.ctx.Err()
		}
		p.rules.MatchIn(&p.res, r.Language, r.Title, r.Description)
		s.Add(&p.res, r.Title, r.Description)
		if l := cmp.Or(p.res.Language, r.Language); l != "" {
			if s.Languages == nil {
				s.Languages = map[string]int{}
			}
			s.Languages[l]++
		}
		if p.o.Of == "none" {
			found := slices.ContainsFunc(p.res.Scores, func(x float64) bool { return x > 0 })
			titles[found] = append(titles[found], r.Title)
		}
		if len(s.Shown) < p.o.Show {
			text := p.result(r.Title, r.Description)
			text.Language = cmp.Or(text.Language, r.Language)
			if p.wanted(text) {
				s.Shown = append(s.Shown, text)
			}
		}
	}
	if gold != nil {
		out.Gold = p.measure(s.Survey, gold, t)
	}
	s.Finish()
	s.Words = advice.Telling(titles[false], titles[true], tellingWords)
	out.Sample = s
	return nil
}

// wanted reports whether --of asks for a row; without it, for any that fired.
func (p *matcher) wanted(t Text) bool {
	switch p.o.Of {
	case "":
		return len(t.Fired) > 0
	case "none":
		return len(t.Categories) == 0
	}
	return slices.Contains(t.Of, p.o.Of)
}

func (p *matcher) checkOf() error {
	t := p.rules.Taxonomy()
	known := append(t.Names(), "none")
	for _, r := range t.Rules {
		known = append(known, t.Categories[r.Category].Name+":"+r.ID)
	}
	if p.o.Of != "" && !slices.Contains(known, p.o.Of) {
		return &diagnostic.UsageError{Message: fmt.Sprintf("--of %s: the taxonomy has no such category or rule", p.o.Of), Hint: diagnostic.Suggest(p.o.Of, known)}
	}
	return nil
}

func (p *matcher) readGold() (*rows.Gold, error) {
	if _, ok := rows.FormatOf(p.o.Gold); !ok {
		return nil, &diagnostic.UsageError{Message: "--gold " + p.o.Gold + ": the extension does not tell the format", Hint: "name a csv, jsonl or parquet file"}
	}
	return rows.OpenPlannedGold(p.o.Gold, p.layout(), dataset.Categories(p.rules.Taxonomy()))
}

// layout is how the plan's label stage reads files of labels.
func (p *matcher) layout() rows.Layout {
	for _, node := range p.o.Graph.Nodes {
		if o, ok := node.Options.(*label.Options); ok {
			return o.Layout()
		}
	}
	return rows.Layout{}
}

// leaveOut drops the rows that are gold, by identity or title.
func leaveOut(sample, gold []rows.Row) []rows.Row {
	out := map[string]bool{}
	for _, g := range gold {
		out[rows.Identity(g)], out["title "+rows.TitleKey(g.Title)] = true, true
	}
	delete(out, "")
	return slices.DeleteFunc(sample, func(r rows.Row) bool {
		return out[rows.Identity(r)] || out["title "+rows.TitleKey(r.Title)]
	})
}

// measure scores the rules on the gold set, as verify does.
func (p *matcher) measure(s *keywords.Survey, gold *rows.Gold, t *taxonomy.Taxonomy) *metrics.Report {
	var truths []metrics.Truth
	var answers []metrics.Answer
	for _, g := range gold.Rows {
		p.rules.MatchIn(&p.res, g.Language, g.Title, g.Description)
		var truth metrics.Truth
		var answer metrics.Answer
		for c, category := range t.Categories {
			truth.Positive, truth.Tags = append(truth.Positive, g.Labels[c].Score > 0), append(truth.Tags, g.Labels[c].Tag)
			answer.Positive, answer.Tags = append(answer.Positive, p.res.Scores[c] > 0), append(answer.Tags, category.Tags[p.res.Tags[c]])
		}
		s.Measure(&p.res, truth.Positive, truth.Tags)
		truths, answers = append(truths, truth), append(answers, answer)
	}
	r := metrics.Score(t.Names(), truths, answers, nil)
	return &r
}
