package keywords

import (
	"math"
	"testing"

	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// TestChoose: the category with the most weight behind it, then the strongest rule, then
// the first of the file.
func TestChoose(t *testing.T) {
	tax, problems := taxonomy.Parse([]byte(`labels: single
categories:
  - name: fire
    rules: [{words: [blaze, smoke], weight: 0.5}, {id: against, words: [drill], weight: -0.3}]
  - name: money
    rules: [{words: [shares, bank]}]
  - name: sports
    rules: [{words: [cup, match]}]
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	m := New(tax)
	for text, want := range map[string]struct {
		choice int
		shares [3]float64
	}{
		"calm":                      {-1, [3]float64{}},
		"blaze":                     {0, [3]float64{1, 0, 0}},
		"cup of shares":             {1, [3]float64{0, 0.5, 0.5}},
		"cup match at the bank":     {2, [3]float64{0, 1. / 3, 2. / 3}},
		"smoke and blaze at a cup":  {2, [3]float64{0.5, 0, 0.5}}, // of equal weight, by the stronger rule
		"blaze drill at a cup":      {2, [3]float64{0.2 / 1.2, 0, 1 / 1.2}},
		"drill":                     {-1, [3]float64{}},
		"cup cup shares and a bank": {1, [3]float64{0, 0.5, 0.5}},
	} {
		var r Result
		m.Match(&r, text, "")
		shares := m.Shares(&r, nil)
		for c, x := range want.shares {
			if math.Abs(shares[c]-x) > 1e-12 {
				t.Errorf("%q: shares %v, want %v", text, shares, want.shares)
				break
			}
		}
		if got := m.Choose(&r); got != want.choice {
			t.Errorf("%q: %d, want %d", text, got, want.choice)
		}
	}
}
