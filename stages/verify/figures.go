package verify

import (
	"context"
	"slices"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// figures are the metrics and what checks need beside them.
type figures struct {
	Metrics
	sets    map[string]*evaluationSet
	reports map[string]metrics.Report // of the model, by set
	leaks   map[string][]leak
}

// measure computes the figures of all sets; the last one named is that of the
// baselines.
func (m *measurer) measure(ctx context.Context, trainRows []rows.Row, sets ...*evaluationSet) (*figures, error) {
	f := &figures{sets: map[string]*evaluationSet{}, reports: map[string]metrics.Report{}, leaks: map[string][]leak{}}
	f.Details = map[string]*Details{}
	f.Train = m.counts(trainRows)
	for _, s := range sets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var reports [classifiers]metrics.Report
		answers := s.answered()
		b := metrics.NewBootstrap(m.t.Names(), s.truth, answers...)
		for c := range answers {
			reports[c] = m.score(s.truth, answers[c], m.thresholdsOf(c))
			b.Annotate(&reports[c], c)
		}
		d := &Details{
			Gains: map[string]metrics.Difference{
				"keywords": b.Difference(byModel, reports[byModel], byKeywords, reports[byKeywords]),
				"majority": b.Difference(byModel, reports[byModel], byMajority, reports[byMajority]),
			},
			MaskedGap:   b.Difference(byModel, reports[byModel], byMasked, reports[byMasked]),
			NoRuleFired: m.noRuleFired(s),
			TagAccuracy: metrics.Estimate{Value: metrics.Round(tagAccuracy(reports[byModel])), CI: reports[byModel].CI.TagAccuracy},
			Tags:        map[string]Confusion{}, Calibration: map[string]metrics.Calibration{},
			Segments:     map[string][]Segment{byDomain: m.segments(s, domainOf), byLength: m.segments(s, lengthOf)},
			Distribution: m.distribution(s.rows, s.answers[byModel]),
			Repeated:     repeated(s.rows),
		}
		if parts := m.languages(s, trainRows); len(parts) > 0 {
			d.Segments[byLanguage] = parts
		}
		for k, c := range m.t.Categories {
			d.Tags[c.Name] = Confusion{c.Tags, metrics.Confusion(c.Tags, k, s.truth, s.answers[byModel])}
			d.Calibration[c.Name] = metrics.Calibrate(s.truth, k, func(i int) float64 { return m.probability(s.scores[i][k]) })
		}
		if m.t.Single {
			d.Choice = m.choice(s)
		}
		f.Details[s.name], f.sets[s.name], f.reports[s.name] = d, s, reports[byModel]
		f.leaks[s.name] = leaks(trainRows, s.rows)
		f.Baselines = map[string]metrics.Report{"keywords": reports[byKeywords], "majority": reports[byMajority]}
		if len(answers) > byHeads {
			f.Baselines["heads"] = reports[byHeads]
			d.Gains["heads"] = b.Difference(byModel, reports[byModel], byHeads, reports[byHeads])
		}
		f.Masked = reports[byMasked]
	}
	if m.t.Single {
		f.Labels = "single"
	}
	f.Test = f.reports["test"]
	if g, ok := f.reports["gold"]; ok {
		f.Gold, f.Leaked = &g, len(f.leaks["gold"])
	}
	return f, nil
}

// headline is what a list of runs shows of the set that counts.
func (f *figures) headline(on string) stages.Figures {
	out := stages.Figures{On: on, Languages: headlines(f.Details[on].Segments[byLanguage])}
	report, gain := f.reports[on], f.Details[on].Gains["keywords"].MacroF1.Value
	if len(report.Unsupported) < len(report.PerCategory) {
		out.MacroF1, out.Gain = &report.MacroF1, &gain
		if heads, ok := f.Baselines["heads"]; ok {
			out.Heads = &heads.MacroF1
		}
	}
	return out
}

// score is a report, with its accuracy where a row has one label.
func (m *measurer) score(truth []metrics.Truth, answers []metrics.Answer, thresholds []float64) metrics.Report {
	r := metrics.Score(m.t.Names(), truth, answers, thresholds)
	if m.t.Single {
		r.Accuracy = new(metrics.Accuracy(truth, answers))
	}
	return r
}

// probability is what a score stands for.
func (m *measurer) probability(score float64) float64 {
	if l, ok := m.model.(classify.LoadedModel); m.t.Single || ok && l.Model().Spec.Logistic() {
		return (score + 1) / 2
	}
	return score
}

// choice is what the model takes for what, and how sure it is of it.
func (m *measurer) choice(s *evaluationSet) *Choice {
	known := func(t metrics.Truth) bool { return t.Known[0] }
	out := &Choice{
		Categories: append(m.t.Names(), ""), Confusion: metrics.ChoiceConfusion(len(m.t.Categories), s.truth, s.answers[byModel]),
		Calibration: s.calibration(known),
	}
	some := s.calibration(func(t metrics.Truth) bool { return known(t) && metrics.Choice(t.Positive) >= 0 })
	if some.Rows < out.Calibration.Rows {
		out.WithCategory = &some
	}
	return out
}

// calibration is of what the model chose, on the rows of some truths.
func (s *evaluationSet) calibration(of func(metrics.Truth) bool) metrics.Calibration {
	var sure []float64
	var right []bool
	for i, t := range s.truth {
		if of(t) {
			sure, right = append(sure, s.sure[i]), append(right, slices.Equal(t.Positive, s.answers[byModel][i].Positive))
		}
	}
	return metrics.CalibrateChoice(sure, right)
}

func (m *measurer) counts(in []rows.Row) TrainCounts {
	out := TrainCounts{Rows: len(in), Positives: map[string]int{}}
	for k, c := range m.t.Categories {
		n := 0
		for _, r := range in {
			if !r.Labels[k].Abstain && r.Labels[k].Score > 0 {
				n++
			}
		}
		out.Positives[c.Name] = n
	}
	return out
}

// noRuleFired scores the model where the rules are silent.
func (m *measurer) noRuleFired(s *evaluationSet) metrics.Report {
	truth, answers := s.pick(rowsWithoutRules(s), byModel)
	r := m.score(truth, answers, m.thresholds)
	metrics.NewBootstrap(m.t.Names(), truth, answers).Annotate(&r, 0)
	return r
}

// pick selects rows of a set.
func (s *evaluationSet) pick(at []int, classifier int) ([]metrics.Truth, []metrics.Answer) {
	truth, answers := make([]metrics.Truth, len(at)), make([]metrics.Answer, len(at))
	for j, i := range at {
		truth[j], answers[j] = s.truth[i], s.answers[classifier][i]
	}
	return truth, answers
}

// tagAccuracy over all tags of all categories.
func tagAccuracy(r metrics.Report) float64 {
	right, all := 0.0, 0
	for _, c := range r.PerCategory {
		right += c.TagAccuracy * float64(c.TagSupport)
		all += c.TagSupport
	}
	if all == 0 {
		return 0
	}
	return right / float64(all)
}
