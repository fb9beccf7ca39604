package heads

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
)

// recipeCase is a line of testdata/recipe.json, which recipe.py writes.
type recipeCase struct {
	Single        bool
	Vectors       [][]float32
	Labels        [][]float64
	Fold          []int
	Ask           [][]float32
	Named         [][]float64
	Logits        [][]float64
	Probabilities [][]float64
	OutOfFold     [][]float64 `json:"out_of_fold"`
	Temperature   float64
	Cuts          []float64
	Agreement     float64
	Answers       [][]int
}

// labels are those of a case: a row without any is unlabelled.
func (c *recipeCase) labels() *Labels {
	l := &Labels{Outputs: len(c.Labels[0]), Single: c.Single}
	for _, row := range c.Labels {
		w := 0.0
		if slices.Max(row) > 0 {
			w = 1
		}
		for _, x := range row {
			l.Target, l.Weight = append(l.Target, x), append(l.Weight, w)
		}
	}
	return l
}

// Limits on what may lie between us and numpy, whose sums have another order.
const (
	probabilityLimit = 1e-5
	logitLimit       = 1e-6
)

// TestRecipe compares fits, folds and answers with those of a plain implementation.
func TestRecipe(t *testing.T) {
	f, err := os.Open("testdata/recipe.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := json.NewDecoder(f); d.More(); {
		var c recipeCase
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		c.compare(t)
	}
}

func (c *recipeCase) compare(t *testing.T) {
	t.Helper()
	l := c.labels()
	space, err := NewSpace(c.Vectors)
	if err != nil {
		t.Fatal(err)
	}
	o := Defaults()
	o.Silent = true
	tr := trainer{z: space.Features(c.Vectors), l: l, o: o}
	w, held, err := tr.trainFolds(t.Context(), c.Fold)
	if err != nil {
		t.Fatal(err)
	}
	h := &Heads{W: w, Temperature: 1, OutOfFold: held}
	tr.calibrate(h)
	far := func(what string, got, want, limit float64) {
		t.Helper()
		if !(math.Abs(got-want) <= limit) {
			t.Errorf("single %v, %s: %v, numpy has %v", c.Single, what, got, want)
		}
	}
	far("temperature", h.Temperature, c.Temperature, 1e-6)
	far("agreement", h.Agreement, c.Agreement, 1e-8)
	for k, x := range c.Cuts {
		far("cut", h.Cuts[k], x, logitLimit)
	}
	for i, row := range c.OutOfFold {
		for k, x := range row {
			far("out of fold", h.OutOfFold[i*l.Outputs+k], x, logitLimit)
		}
	}
	logits := make([]float64, len(c.Ask)*l.Outputs)
	w.Logits(space.Features(c.Ask), everyRow(len(c.Ask)), logits)
	for i, want := range c.Probabilities {
		row := logits[i*l.Outputs : (i+1)*l.Outputs]
		p := make([]float64, l.Outputs)
		for k, x := range row {
			far("logit", x, c.Logits[i][k], logitLimit)
			p[k] = sigmoid(x)
			row[k] = x / h.Temperature
		}
		if c.Single {
			softmax(row, p)
		}
		for k := range p {
			far("probability", p[k], want[k], probabilityLimit)
		}
		Beside(row, c.Named[i], Bonus, c.Single)
		for k, yes := range h.Answer(row) {
			if yes != (c.Answers[i][k] == 1) {
				t.Errorf("single %v, row %d: output %d is answered %v", c.Single, i, k, yes)
			}
		}
	}
}

// TestEqualBytes: the number of cores changes no bit, and neither does a second fit.
func TestEqualBytes(t *testing.T) {
	vectors, l := clusters(1500, 48, 4, 0.5)
	first, err := Train(t.Context(), features(t, vectors), l, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	second, err := Train(t.Context(), features(t, vectors), l, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.W.data, second.W.data) || !slices.Equal(first.OutOfFold, second.OutOfFold) || first.Temperature != second.Temperature {
		t.Error("two fits of the same rows differ")
	}
}

// TestOptimum: the gradient of the whole loss is all but 0 where the solver stops.
func TestOptimum(t *testing.T) {
	vectors, l := clusters(400, 37, 3, 1)
	z := features(t, vectors)
	for _, single := range []bool{true, false} {
		p := &problem{z: z, rows: everyRow(400), target: l.Target, weight: slices.Repeat([]float64{1}, 400), outputs: 3, single: single, c: 3}
		w, err := solve(t.Context(), []*problem{p}, []*cholesky{p.bound()})
		if err != nil {
			t.Fatal(err)
		}
		at := newSolver(p, nil)
		at.v = w[0]
		gradients([]*solver{at})
		gradient := at.gradient()
		for k := range 3 {
			for j, g := range gradient.Of(k) {
				if math.Abs(g) > 5e-3 {
					t.Errorf("single %v: the gradient of output %d, feature %d is %v", single, k, j, g)
				}
			}
		}
	}
}

// TestFixed: rows that are fixed keep what they say through self-training.
func TestFixed(t *testing.T) {
	vectors, l := clusters(300, 16, 3, 0.2)
	for i := range 300 { // all that is labelled says something else than the clusters
		copy(l.Target[i*3:], []float64{l.Target[i*3+1], l.Target[i*3+2], l.Target[i*3]})
	}
	agree := func() float64 {
		z := features(t, vectors)
		h, err := Train(t.Context(), z, l, Options{C: 1000, Rounds: 10, Power: 2, Balance: true})
		if err != nil {
			t.Fatal(err)
		}
		logits := make([]float64, 300*3)
		h.W.Logits(z, everyRow(300), logits)
		right, all := 0.0, 0.0
		for i := range 300 {
			if l.Known(i) {
				all++
				if highest(logits[i*3:(i+1)*3]) == l.class(i) {
					right++
				}
			}
		}
		return right / all
	}
	l.Fixed = make([]bool, 300)
	loose := agree()
	for i := range l.Fixed {
		l.Fixed[i] = l.Known(i)
	}
	if held := agree(); held < loose || held < 0.95 {
		t.Errorf("fixed rows agree with their labels in %.2f, loose ones in %.2f", held, loose)
	}
}

// TestHardRows: sets from which little or nothing can be learned give finite heads, or an
// error that says why.
func TestHardRows(t *testing.T) {
	same := make([][]float32, 2000)
	for i := range same {
		same[i] = []float32{0.6, 0.8, 0}
	}
	one := func(n, outputs int, single bool) *Labels {
		l := &Labels{Outputs: outputs, Single: single, Target: make([]float64, n*outputs), Weight: slices.Repeat([]float64{1}, n*outputs)}
		for i := range n {
			l.Target[i*outputs] = 1
		}
		return l
	}
	two, twoLabels := clusters(2, 8, 2, 1)
	for name, c := range map[string]struct {
		vectors [][]float32
		l       *Labels
	}{
		"identical rows": {same, one(2000, 3, true)}, "identical rows, several": {same, one(2000, 3, false)},
		"two rows": {two, twoLabels}, "one row": {two[:1], one(1, 2, true)}, "one row, several": {two[:1], one(1, 2, false)},
	} {
		h, err := Train(t.Context(), features(t, c.vectors), c.l, Defaults())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if slices.ContainsFunc(slices.Concat(h.W.data, h.OutOfFold, []float64{h.Temperature, h.Agreement}), func(x float64) bool { return x-x != 0 }) {
			t.Errorf("%s: numbers that are not finite", name)
		}
	}
	none := one(2, 2, true)
	clear(none.Weight)
	if _, err := Train(t.Context(), features(t, two), none, Defaults()); err != ErrNoLabels { //nolint:errorlint // it is returned as it is
		t.Errorf("without a label: %v", err)
	}
	two[1][3] = float32(math.NaN())
	if _, err := NewSpace(two); err == nil {
		t.Error("a vector that is no number makes a space")
	}
}

// TestKernels compares the processor's own kernels with plain loops, at every width.
func TestKernels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	for width := 0; width <= 40; width += lanes {
		stride := width + 3
		first, second, rows := numbersOf(rng, width), numbersOf(rng, width), numbersOf(rng, lanes*stride+width)
		var one, two, wantOne, wantTwo [lanes]float64
		dots(first, second, rows, stride, &one, &two)
		portableDots(first, second, rows, stride, &wantOne, &wantTwo)
		near(t, one[:], wantOne[:])
		near(t, two[:], wantTwo[:])
		got, want := slices.Clone(rows), slices.Clone(rows)
		axpys(first, second, got, stride, &one, &two)
		portableAxpys(first, second, want, stride, &one, &two)
		near(t, got, want)
	}
}

func near(t *testing.T, got, want []float64) {
	t.Helper()
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Errorf("place %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func numbersOf(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}

// features are those of vectors in their own space.
func features(t testing.TB, vectors [][]float32) *Features {
	t.Helper()
	s, err := NewSpace(vectors)
	if err != nil {
		t.Fatal(err)
	}
	return s.Features(vectors)
}

// clusters are rows around k centres, of which a share is labelled.
func clusters(n, dim, k int, share float64) ([][]float32, *Labels) {
	rng := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // a test
	centres := make([][]float64, k)
	for c := range centres {
		centres[c] = numbersOf(rng, dim)
	}
	l := &Labels{Outputs: k, Single: true}
	vectors := make([][]float32, n)
	for i := range vectors {
		c := rng.IntN(k)
		sum := 0.0
		for _, x := range centres[c] {
			x += 1.5*rng.NormFloat64() + 1
			sum += x * x
			vectors[i] = append(vectors[i], float32(x))
		}
		for j := range vectors[i] {
			vectors[i][j] /= float32(math.Sqrt(sum))
		}
		w := 0.0
		if rng.Float64() < share {
			w = 1
		}
		for o := range k {
			x := 0.0
			if o == c {
				x = 1
			}
			l.Target, l.Weight = append(l.Target, x), append(l.Weight, w)
		}
	}
	return vectors, l
}

// BenchmarkTrain fits heads on rows like those of a news set, folds included.
func BenchmarkTrain(b *testing.B) {
	vectors, l := clusters(5600, 384, 4, 0.7)
	for b.Loop() {
		if _, err := Train(b.Context(), features(b, vectors), l, Defaults()); err != nil {
			b.Fatal(err)
		}
	}
}
