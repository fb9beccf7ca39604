package drift_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/sprint-ml/sprint/ml/drift"
	"github.com/sprint-ml/sprint/ml/metrics"
)

// TestIndex: what did not move has the index 0, the two sides may change places, and no
// index or end of an interval is below 0.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "classes")
		count := rapid.SliceOfN(rapid.IntRange(0, 300), n, n)
		p, q := count.Draw(t, "before"), count.Draw(t, "now")
		same := drift.Index(p, p)
		if same.Value != 0 || same.CI[0] != 0 {
			t.Fatalf("the index of counts and themselves is %v", same)
		}
		x, y := drift.Index(p, q), drift.Index(q, p)
		if x.Value != y.Value || x.Value < 0 || x.CI[0] < 0 || x.CI[1] < x.CI[0] {
			t.Fatalf("%v one way, %v the other", x, y)
		}
		if again := drift.Index(p, q); again != x {
			t.Fatalf("%v, then %v", x, again)
		}
	})
}

// truth is the index of two populations themselves.
func truth(p, q []float64) (out float64) {
	for i := range p {
		out += (q[i] - p[i]) * math.Log(q[i]/p[i])
	}
	return out
}

func draw(random *rand.Rand, shares []float64, n int) []int {
	counts := make([]int, len(shares))
	for range n {
		x, i := random.Float64(), 0
		for ; i < len(shares)-1 && x >= shares[i]; i++ {
			x -= shares[i]
		}
		counts[i]++
	}
	return counts
}

// TestIntervalCovers: the interval holds the index of the populations about as often as it
// says, and its lower end stays low where both are one, however many classes it has.
func TestIntervalCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	even := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = 1 / float64(n)
		}
		return out
	}
	for name, c := range map[string]struct {
		p, q []float64
		n, m int
	}{
		"moved":      {[]float64{0.5, 0.3, 0.2}, []float64{0.3, 0.3, 0.4}, 400, 300},
		"moved far":  {[]float64{0.7, 0.2, 0.1}, []float64{0.2, 0.2, 0.6}, 400, 300},
		"did not":    {even(20), even(20), 300, 300},
		"many, same": {even(4), even(4), 20000, 20000},
	} {
		want, covered, alarms := truth(c.p, c.q), 0, 0
		const tries = 200
		for range tries {
			x := drift.Index(draw(random, c.p, c.n), draw(random, c.q, c.m))
			if x.CI[0] <= want && want <= x.CI[1] {
				covered++
			}
			if x.CI[0] >= 0.1 {
				alarms++
			}
		}
		t.Logf("%s: %d of %d intervals hold %.3f, %d alarms at 0.1", name, covered, tries, want, alarms)
		if covered < tries*85/100 {
			t.Errorf("%s: %d of %d intervals hold %.3f", name, covered, tries, want)
		}
		if want == 0 && alarms > 0 {
			t.Errorf("%s: %d alarms of what did not move", name, alarms)
		}
	}
}

// TestExpectedF1: where the probabilities are right the estimate is near what was
// measured, on rows of another mixture too.
func TestExpectedF1(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, share := range []float64{0.2, 0.5, 0.8} { // of rows that are hard
		var answers []drift.Answer
		var truths []metrics.Truth
		var given []metrics.Answer
		for range 3000 {
			p := random.Float64()
			if random.Float64() > share {
				p = 0.02 + 0.96*math.Round(p)
			}
			said := p >= 0.5
			answers = append(answers, drift.Answer{Positive: []bool{said}, Probability: []float64{p}})
			truths = append(truths, metrics.Truth{Positive: []bool{random.Float64() < p}, Known: []bool{true}})
			given = append(given, metrics.Answer{Positive: []bool{said}})
		}
		x, real := drift.ExpectedF1(1, answers), metrics.Score([]string{"a"}, truths, given, nil).MacroF1
		t.Logf("%.0f %% hard: expected %.3f (%.3f to %.3f), measured %.3f", 100*share, x.MacroF1.Value, x.MacroF1.CI[0], x.MacroF1.CI[1], real)
		if math.Abs(x.MacroF1.Value-real) > 0.02 || x.MacroF1.CI[0] > x.MacroF1.Value || x.MacroF1.CI[1] < x.MacroF1.Value {
			t.Errorf("expected %v, measured %.4f", x.MacroF1, real)
		}
	}
	if few := drift.ExpectedF1(1, []drift.Answer{{Positive: []bool{true}, Probability: []float64{1}}}); few.F1[0] != -1 || few.MacroF1.Value != 0 {
		t.Errorf("of one row: %+v", few)
	}
}

// TestCalibrate: probabilities never fall with the score, are those of the rows, and are
// never certain.
func TestCalibrate(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var known []drift.Scored
	real := func(score float64) float64 { return score * score } // scores that say too much
	for range 5000 {
		s := random.Float64()
		known = append(known, drift.Scored{Score: s, Truth: random.Float64() < real(s)})
	}
	c := drift.Calibrate(known)
	for _, s := range []float64{0.1, 0.3, 0.5, 0.7, 0.9} {
		if p := c.Probability(s); math.Abs(p-real(s)) > 0.06 {
			t.Errorf("a score of %.1f has the probability %.3f, not %.3f", s, p, real(s))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64Range(-1, 2).Draw(t, "a"), rapid.Float64Range(-1, 2).Draw(t, "b")
		if p, q := c.Probability(min(a, b)), c.Probability(max(a, b)); p > q || p <= 0 || q >= 1 {
			t.Fatalf("%g of %g, %g of %g", p, min(a, b), q, max(a, b))
		}
	})
	if drift.Calibrate(known[:drift.LeastScored-1]) != nil || drift.Calibrate(make([]drift.Scored, 100)) != nil {
		t.Error("a calibration of few rows, or of rows with one truth")
	}
}
