package rows

import (
	"slices"
	"testing"
)

// TestTargets: a row's categories share its target, none has it where all are decided
// and absent, and where nobody decided there is none.
func TestTargets(t *testing.T) {
	open := Label{Abstain: true}
	at := func(score float64) Label { return Label{Score: score} }
	for name, c := range map[string]struct {
		labels []Label
		want   []float32
		choice int
		known  bool
	}{
		"one":                      {[]Label{at(0.4), at(0)}, []float32{1, 0, 0}, 0, true},
		"shared":                   {[]Label{at(0.25), at(0.75)}, []float32{0.25, 0.75, 0}, 1, true},
		"a tie":                    {[]Label{at(1), at(1)}, []float32{0.5, 0.5, 0}, 0, false},
		"one of which all is said": {[]Label{open, at(1)}, []float32{0, 1, 0}, 1, true},
		"absent":                   {[]Label{at(0), at(-1)}, []float32{0, 0, 1}, -1, true},
		"undecided":                {[]Label{open, open}, nil, -1, false},
		"partly absent":            {[]Label{at(0), open}, nil, -1, false},
		"no labels":                {nil, nil, -1, false},
	} {
		if got := Targets(c.labels, true); !slices.Equal(got, c.want) {
			t.Errorf("%s: targets %v, want %v", name, got, c.want)
		}
		if got, known := Choice(c.labels); known != c.known || known && got != c.choice {
			t.Errorf("%s: %d %v, want %d %v", name, got, known, c.choice, c.known)
		}
	}
	if got := Targets([]Label{{}, open}, false); !slices.Equal(got, []float32{0, 0, 1}) {
		t.Errorf("undecided taken for absent: %v", got)
	}
}
