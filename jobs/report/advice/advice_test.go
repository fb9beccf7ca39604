package advice

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

func metrics(gold, rules, gap float64, positives, support int) *document.Metrics {
	m := &document.Metrics{Gold: &document.Scores{Rows: 100, MacroF1: gold, PerCategory: map[string]document.CategoryScore{"fire": {Support: support}}},
		Baselines: map[string]document.Scores{"keywords": {Rows: 100, MacroF1: rules}}, Details: map[string]*document.Details{"gold": {}}}
	m.Train.Positives = map[string]int{"fire": positives}
	m.Details["gold"].MaskedGap.MacroF1.Value = gap
	return m
}

// TestFindings holds that each figure that is short is told, and one that is not is not.
func TestFindings(t *testing.T) {
	for name, x := range map[string]struct {
		e    Evidence
		want []string // a part of each finding, in order
	}{
		"nothing is known": {Evidence{}, nil},
		"all is well":      {Evidence{Labels: &document.LabelReport{Rows: 100, Covered: 80}, Metrics: metrics(0.8, 0.7, 0.1, 50, 8), Train: "train"}, nil},
		"few labels":       {Evidence{Labels: &document.LabelReport{Rows: 123, Covered: 45}}, []string{"only 45 of 123 rows (36 %) have a label; see what the rules miss: sprint label-preview p.yaml --of none"}},
		"few rows":         {Evidence{Metrics: metrics(0.8, 0.7, 0, 49, 7)}, []string{"few rows to learn from (fire 49;", "few rows of gold to measure on (fire 7;"}},
		"good rules":       {Evidence{Metrics: metrics(0.9, 0.95, 0, 50, 8)}, []string{"the rules alone reach 0.950 on gold"}},
		"rules repeated":   {Evidence{Metrics: metrics(0.8, 0.7, 0.15, 50, 8), Train: "tune"}, []string{"0.150 lower: the model repeats the rules; let it train with these words hidden now and then: --set tune.mask_rules=0.5"}},
		"dead rules":       {Evidence{Labels: &document.LabelReport{Rows: 1, Covered: 1, DeadRules: []string{"a:b", "c:d", "e:f", "g:h", "i:j", "k:l"}}}, []string{"rules that never fired: 6 (a:b, c:d, e:f, g:h, i:j and 1 more): sprint label-preview p.yaml"}},
	} {
		got := Of(x.e)
		if len(got) != len(x.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, want := range x.want {
			if text := got[i].String("p.yaml"); !strings.Contains(text, want) {
				t.Errorf("%s: no %q in %q", name, want, text)
			}
		}
	}
}

// TestMissed names the words of missed rows, not those that all rows have.
func TestMissed(t *testing.T) {
	var rows []document.Prediction
	for i := range 60 {
		title, hit := fmt.Sprintf("the harbour burns number %d", i), true
		if i%3 == 0 {
			title, hit = fmt.Sprintf("the smoke over town %d", i), false
		}
		rows = append(rows, document.Prediction{On: "gold", Title: title, Categories: map[string]document.CategoryAnswer{"fire": {Truth: true, Answer: hit}, "sports": {}}})
	}
	got := Of(Evidence{Predictions: rows})
	if len(got) != 1 || !strings.HasPrefix(got[0].Text, "fire: 20 rows of gold are missed, most telling words: over, smoke, town;") {
		t.Errorf("%q", got)
	}
}

func TestTelling(t *testing.T) {
	in, rest := []string{"Ny brand i hamnen", "brand, BRAND!", "en brand till", "i parken"}, []string{"i parken", "hamnen i dag", "en park till", "ny vecka"}
	if got := Telling(in, rest, 3); !slices.Equal(got, []string{"brand"}) {
		t.Errorf("%q", got)
	}
	for _, x := range [][2][]string{{nil, nil}, {in, nil}, {nil, rest}} {
		_ = Telling(x[0], x[1], 3) // no panic, whatever is empty
	}
}
