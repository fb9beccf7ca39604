package verify

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

const (
	swedish   = "Regeringen lägger fram ny budget i höst"
	norwegian = "Regjeringen legger frem statsbudsjettet i oktober"
	finnish   = "Hallitus esittelee uuden budjetin syksyllä"
)

func parsed(t *testing.T, text string) *taxonomy.Taxonomy {
	t.Helper()
	tax, problems := taxonomy.Parse([]byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return tax
}

func repeat(n int, row rows.Row) (out []rows.Row) {
	for range n {
		row.Labels = []rows.Label{{Score: 1}}
		out = append(out, row)
	}
	return out
}

// TestFiguresByLanguage: the model's and the rules' figures are those of the rows of each
// language, beside the training rows in it.
func TestFiguresByLanguage(t *testing.T) {
	tax := parsed(t, "categories: [{name: politics, rules: {sv: [{words: [regeringen]}]}}]")
	test := append(repeat(12, rows.Row{Title: swedish}), repeat(4, rows.Row{Title: finnish})...)
	train := append(repeat(3, rows.Row{Title: norwegian}), rows.Row{Title: swedish, Language: "Swedish", Labels: []rows.Label{{}}})
	findLanguages(tax, test, train)
	s := newEvaluationSet(tax, "test", test)
	m := &measurer{t: tax, matcher: keywords.New(tax), thresholds: []float64{0.5}}
	for i := range test {
		a := m.blank()
		a.Positive[0] = i < 9 || i == 12
		rules := m.blank()
		rules.Positive[0] = i < 12
		s.answers[byModel], s.answers[byKeywords] = append(s.answers[byModel], a), append(s.answers[byKeywords], rules)
	}
	got := m.languages(s, train)
	if len(got) != 2 || got[0].Name != "sv" || got[0].Rows != 12 || got[1].Name != "fi" || got[1].Rows != 4 {
		t.Fatalf("%+v", got)
	}
	if f1 := metrics.Round(2 * 9. / (9 + 12)); got[0].MicroF1 != f1 || got[0].MacroF1 == nil || *got[0].MacroF1 != f1 || *got[0].KeywordsMicroF1 != 1 || *got[0].TrainRows != 1 {
		t.Errorf("sv: %+v %v", got[0], f1)
	}
	if got[1].MicroF1 != 0.4 || got[1].MacroF1 != nil || *got[1].KeywordsMicroF1 != 0 || *got[1].TrainRows != 0 {
		t.Errorf("fi, of too few rows for a macro-F1: %+v", got[1])
	}
	f := stages.Figures{On: "test", Languages: headlines(got)}
	if text := f.String(); !strings.Contains(text, "micro-F1 sv 0.857, fi 0.400") {
		t.Error(text)
	}
	if headlines(got[:1]) != nil {
		t.Error("one language is told apart from none")
	}
}

// TestNoLanguages: where nothing asks for languages, rows have none and there are no figures.
func TestNoLanguages(t *testing.T) {
	tax := parsed(t, "categories: [{name: politics, rules: [{words: [regeringen]}]}]")
	test := repeat(3, rows.Row{Title: swedish, Language: "no such"})
	findLanguages(tax, test)
	m := &measurer{t: tax}
	s := newEvaluationSet(tax, "test", test)
	s.answers[byModel], s.answers[byKeywords] = []metrics.Answer{m.blank(), m.blank(), m.blank()}, []metrics.Answer{m.blank(), m.blank(), m.blank()}
	if got := m.languages(s, nil); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	gold := repeat(1, rows.Row{Title: swedish})
	test[0].Language = "nb"
	if findLanguages(tax, test, gold); test[0].Language != "no" || test[1].Language != "sv" || gold[0].Language != "sv" {
		t.Errorf("rows of which one names a language: %q %q, gold %q", test[0].Language, test[1].Language, gold[0].Language)
	}
}

// TestGoldInAnotherLanguage: it is said, whether or not languages are asked for.
func TestGoldInAnotherLanguage(t *testing.T) {
	for name, c := range map[string]struct {
		train, gold string
		parts       []Segment
		says        string
	}{
		"another":       {swedish, finnish, nil, "most gold rows are in another language"},
		"the same":      {swedish, swedish, nil, ""},
		"nobody knows":  {swedish, "12 34", nil, ""},
		"figures by it": {swedish, finnish, []Segment{{Name: "fi", Rows: 2, TrainRows: new(0)}, {Name: "sv", Rows: 1, TrainRows: new(1)}}, "gold rows are in a language that no training row is in"},
	} {
		var log bytes.Buffer
		s := &stage{env: stages.Env{Log: slog.New(slog.NewTextHandler(&log, nil))}}
		s.warnLanguages(repeat(3, rows.Row{Title: c.train}), repeat(2, rows.Row{Title: c.gold}), c.parts)
		if c.says == "" && log.Len() > 0 || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s: %q", name, log.String())
		}
	}
}
