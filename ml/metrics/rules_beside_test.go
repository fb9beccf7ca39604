package metrics

import "testing"

// TestRulesBeside gives models of three kinds: one that finds the category with
// its words hidden, one that is right where it is sure, and one that guesses.
func TestRulesBeside(t *testing.T) {
	truth := []bool{true, true, true, true, false, true, false, true, false, false, true, false, false, false, false, false}
	for name, c := range map[string]struct {
		scores []float32
		from   float64
		alone  bool
	}{
		"knows":   {[]float32{.9, .9, .8, .8, -.1, .7, -.2, .7, -.3, -.3, .6, -.4, -.4, -.5, -.5, -.6}, .25, true},
		"sure":    {[]float32{.9, .8, .7, .6, -.5, -.9, -.5, -.9, -.5, -.5, -.9, -.5, -.5, -.5, -.5, -.5}, .05, false},
		"lucky":   {[]float32{.9, .8, .7, -.9, .65, -.9, .6, -.9, .55, .5, -.9, .4, .4, .3, .3, .2}, Never, false},
		"guesses": {[]float32{.1, .2, .3, -.9, .9, -.9, .8, -.9, .7, .6, -.9, .5, .5, .5, .5, .5}, Never, false},
		"equal":   {[]float32{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, Never, false},
	} {
		from, alone := RulesBeside(c.scores, truth)
		if alone != c.alone || from-c.from > 1e-6 || c.from-from > 1e-6 {
			t.Errorf("%s: from %v, alone %v; want %v, %v", name, from, alone, c.from, c.alone)
		}
	}
	if from, alone := RulesBeside(nil, nil); alone || from != Never {
		t.Errorf("no rows: from %v, alone %v", from, alone)
	}
}
