package metrics

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
)

// drawn is a set of rows on which two classifiers are right with some chance.
func drawn(random *rand.Rand, n, categories int, a, b float64) (truths []Truth, first, second []Answer) {
	flip := func(x bool, p float64) bool {
		if random.Float64() < p {
			return x
		}
		return !x
	}
	for range n {
		t, x, y := Truth{}, Answer{}, Answer{}
		for range categories {
			p := random.Float64() < 0.3
			t.Positive = append(t.Positive, p)
			x.Positive, y.Positive = append(x.Positive, flip(p, a)), append(y.Positive, flip(p, b))
		}
		truths, first, second = append(truths, t), append(first, x), append(second, y)
	}
	return truths, first, second
}

// TestCoverage: of many sets, about the promised share of intervals hold the
// figure of the whole population.
func TestCoverage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	truths, answers, _ := drawn(random, 200_000, 1, 0.8, 0.8)
	names := []string{"a"}
	whole := Score(names, truths, answers, nil).PerCategory["a"].F1
	held := 0
	const sets = 120
	for i := range sets {
		s, x := truths[i*250:(i+1)*250], answers[i*250:(i+1)*250]
		r := Score(names, s, x, nil)
		NewBootstrap(names, s, x).Annotate(&r, 0)
		if ci := r.PerCategory["a"].CI.F1; ci[0] <= whole && whole <= ci[1] {
			held++
		}
	}
	if held < sets*88/100 || held == sets {
		t.Errorf("%d of %d intervals of 95 %% hold the population's F1", held, sets)
	}
}

// TestPaired: the interval of a difference is taken on equal rows: a classifier
// is no better than itself, and a difference on one category is found although
// the figures themselves spread much more.
func TestPaired(t *testing.T) {
	names := []string{"a", "b"}
	truths, first, _ := drawn(rand.New(rand.NewPCG(3, 4)), 300, 2, 0.75, 0.75)
	second := make([]Answer, len(first))
	for i, a := range first {
		second[i] = Answer{Positive: []bool{a.Positive[0], a.Positive[1]}}
		if i%10 == 0 {
			second[i].Positive[0] = !truths[i].Positive[0]
			first[i].Positive[0] = truths[i].Positive[0]
		}
	}
	b := NewBootstrap(names, truths, first, second)
	one, two := Score(names, truths, first, nil), Score(names, truths, second, nil)
	if d := b.Difference(0, one, 0, one); d.MacroF1 != (Estimate{}) {
		t.Errorf("a classifier differs from itself by %+v", d)
	}
	d := b.Difference(0, one, 1, two).MacroF1
	if d.CI[0] <= 0 || d.CI[0] > d.Value || d.CI[1] < d.Value {
		t.Errorf("difference %+v", d)
	}
	b.Annotate(&one, 0)
	if spread, apart := one.CI.MacroF1[1]-one.CI.MacroF1[0], d.CI[1]-d.CI[0]; apart >= spread {
		t.Errorf("the paired interval (%v) is no narrower than the figure's own (%v)", apart, spread)
	}
}

// TestBootstrapAgainstSlow compares with a bootstrap that scores every resample
// by Score.
func TestBootstrapAgainstSlow(t *testing.T) {
	names := []string{"a", "b", "c"}
	truths, answers, _ := drawn(rand.New(rand.NewPCG(5, 6)), 80, 3, 0.7, 0.7)
	for i := range truths {
		truths[i].Known = []bool{i%7 != 0, true, true}
		truths[i].Tags, answers[i].Tags = []string{"x", "", "y"}, []string{[]string{"x", "z"}[i%2], "", "y"}
	}
	b := NewBootstrap(names, truths, answers)
	random := rand.New(rand.NewPCG(seed, uint64(len(truths))))
	for r := range 50 {
		var s []Truth
		var x []Answer
		for range truths {
			i := random.IntN(len(truths))
			s, x = append(s, truths[i]), append(x, answers[i])
		}
		want := Score(names, s, x, nil)
		for k, n := range names {
			c, d := want.PerCategory[n], &b.byClassifier[0].byCategory[k]
			if d.precision[r] != c.Precision || d.recall[r] != c.Recall || d.f1[r] != c.F1 || d.tags[r] != c.TagAccuracy {
				t.Fatalf("resample %d, %s: %v %v %v %v, want %+v", r, n, d.precision[r], d.recall[r], d.f1[r], d.tags[r], c)
			}
		}
		if b.byClassifier[0].micro[r] != want.MicroF1 {
			t.Fatalf("resample %d: micro-F1 %v, want %v", r, b.byClassifier[0].micro[r], want.MicroF1)
		}
	}
}

// TestBootstrapIsRepeatable: equal rows, equal bytes; an empty set has numbers.
func TestBootstrapIsRepeatable(t *testing.T) {
	names := []string{"a"}
	truths, answers, _ := drawn(rand.New(rand.NewPCG(7, 8)), 100, 1, 0.8, 0.8)
	var reports [2]Report
	for i := range reports {
		reports[i] = Score(names, truths, answers, nil)
		NewBootstrap(names, truths, answers).Annotate(&reports[i], 0)
	}
	if !reflect.DeepEqual(reports[0], reports[1]) {
		t.Errorf("%+v and %+v", reports[0].CI, reports[1].CI)
	}
	empty := Score(names, nil, nil, nil)
	NewBootstrap(names, nil, nil).Annotate(&empty, 0)
	if _, err := json.Marshal(empty); err != nil {
		t.Error(err)
	}
}

func TestCalibrate(t *testing.T) {
	// Ten rows at 0.8, eight of them positive: right. Ten at -0.5, which is 0.
	var truths []Truth
	for i := range 20 {
		truths = append(truths, Truth{Positive: []bool{i < 8}})
	}
	score := func(i int) float64 { return []float64{0.8, -0.5}[i/10] }
	if c := Calibrate(truths, 0, score); c.ECE != 0 || len(c.Bins) != 2 || c.Rows != 20 {
		t.Errorf("calibrated scores: %+v", c)
	}
	sure := func(i int) float64 { return []float64{1, 0}[i/10] }
	if c := Calibrate(truths, 0, sure); c.ECE != 0.1 {
		t.Errorf("sure of ten where eight are: error %v, want 0.1", c.ECE)
	}
}

func TestPSI(t *testing.T) {
	if x := PSI([]int{50, 30, 20}, []int{100, 60, 40}); x > 0.001 {
		t.Errorf("the same shares drift by %v", x)
	}
	if x := PSI([]int{50, 50}, []int{80, 20}); x < 0.38 || x > 0.46 { // 0.3 ln(1.6) + -0.3 ln(0.4) = 0.416
		t.Errorf("from halves to 80:20 is %v, want about 0.416", x)
	}
	if x := PSI([]int{100, 0}, []int{0, 100}); x < 1 || x > 20 {
		t.Errorf("from all to nothing is %v", x)
	}
	if x := PSI(nil, nil); x != 0 {
		t.Errorf("nothing drifts by %v", x)
	}
}

func TestConfusion(t *testing.T) {
	truths := []Truth{{Positive: []bool{true}, Tags: []string{"x"}}, {Positive: []bool{true}, Tags: []string{"y"}}, {Positive: []bool{false}, Tags: []string{"x"}}, {Positive: []bool{true}, Tags: []string{"alien"}}}
	answers := []Answer{{Tags: []string{"x"}}, {Tags: []string{"x"}}, {Tags: []string{"y"}}, {Tags: []string{"y"}}}
	if got := Confusion([]string{"", "x", "y"}, 0, truths, answers); !reflect.DeepEqual(got, [][]int{{0, 0, 0}, {0, 1, 0}, {0, 1, 0}}) {
		t.Errorf("%v", got)
	}
}

func BenchmarkBootstrap(b *testing.B) {
	names := []string{"a", "b", "c", "d", "e"}
	for _, n := range []int{300, 10_000} {
		b.Run(map[int]string{300: "300rows", 10_000: "10000rows"}[n], func(b *testing.B) {
			truths, x, y := drawn(rand.New(rand.NewPCG(9, 9)), n, len(names), 0.9, 0.8)
			for b.Loop() {
				NewBootstrap(names, truths, x, y, x, y)
			}
		})
	}
}
