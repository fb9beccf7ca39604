package verify

import (
	"log/slog"
	"slices"

	"github.com/sprint-ml/sprint/ml/language"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

const byLanguage = "language"

func languageOf(s *evaluationSet, row int) string { return s.rows[row].Language }

// findLanguages gives all rows their language where rules are by language, or where the
// rows that label left say theirs. Else they have none, and there are no figures by it.
func findLanguages(t *taxonomy.Taxonomy, test []rows.Row, others ...[]rows.Row) {
	expected := t.Languages()
	said := func(r rows.Row) bool { _, ok := language.Code(r.Language); return ok }
	known := len(expected) > 0 || slices.ContainsFunc(test, said)
	for _, set := range append(others, test) {
		for i := range set {
			r := &set[i]
			if !known {
				r.Language = ""
				continue
			}
			r.Language = language.Of(r.Language, r.Title, r.Description, expected)
		}
	}
}

// languages are the figures of a set by language, the largest first, with those of the
// keywords beside them and the training rows that there are of each.
func (m *measurer) languages(s *evaluationSet, train []rows.Row) []Segment {
	out := m.segments(s, languageOf)
	for i := range out {
		x := &out[i]
		truth, answers := s.pick(x.at, byModel)
		_, keywords := s.pick(x.at, byKeywords)
		report := m.score(truth, answers, m.thresholds)
		if len(report.Unsupported) < len(report.PerCategory) {
			x.MacroF1 = new(metrics.Round(report.MacroF1))
		}
		x.KeywordsMicroF1 = new(metrics.Round(metrics.Score(m.t.Names(), truth, keywords, nil).MicroF1))
		n := 0
		for _, r := range train {
			if r.Language == x.Name {
				n++
			}
		}
		x.TrainRows = &n
	}
	return out
}

// headlines are the figures by language of a list of runs; none where there is one language.
func headlines(segments []Segment) []stages.LanguageFigures {
	if len(segments) < 2 {
		return nil
	}
	var out []stages.LanguageFigures
	for _, x := range segments {
		out = append(out, stages.LanguageFigures{Language: x.Name, Rows: x.Rows, MicroF1: x.MicroF1, MacroF1: x.MacroF1})
	}
	return out
}

// most is how many rows are looked at to see in which language a set is.
const most = 500

// mostly is the language of more than half of a set's rows, empty if there is none.
func mostly(set []rows.Row) string {
	counts := map[string]int{}
	looked := set[:min(most, len(set))]
	for _, r := range looked {
		counts[language.Of(r.Language, r.Title, r.Description, nil)]++
	}
	for code, n := range counts {
		if code != "" && 2*n > len(looked) {
			return code
		}
	}
	return ""
}

// warnLanguages says that a gold set asks for what no training row teaches.
func (s *stage) warnLanguages(train, gold []rows.Row, parts []Segment) {
	for _, x := range parts {
		if x.TrainRows != nil && *x.TrainRows == 0 {
			s.env.Log.Warn("gold rows are in a language that no training row is in", slog.String("language", x.Name), slog.Int("rows", x.Rows))
		}
	}
	if len(parts) > 0 {
		return
	}
	if g, t := mostly(gold), mostly(train); g != "" && t != "" && g != t {
		s.env.Log.Warn("most gold rows are in another language than most training rows: the figures say how a model of one does in the other", slog.String("gold", g), slog.String("train", t))
	}
}
