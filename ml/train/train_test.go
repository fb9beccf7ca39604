package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// tiny is a random BERT of two layers.
func tiny(t testing.TB) *encoder.Encoder {
	t.Helper()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

var categories = []bert.Category{{Name: "a", Tags: []string{"", "x", "y"}}, {Name: "b", Tags: []string{"", "z"}}}

func model(t testing.TB, e *encoder.Encoder, pooling string) *bert.Model {
	t.Helper()
	m, err := bert.FromEncoder(e, bert.Spec{Categories: categories, Pooling: pooling, HeadHidden: 16, MaxLength: 24, Text: []string{"title"}}, 7)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rows are texts of random words; word 10 makes category a (tag x if word 11 is
// there too, else y), word 20 category b.
func rows(n int, seed uint64) []Example {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]Example, n)
	for i := range out {
		e := Example{IDs: []int32{2}, Score: make([]float32, 2), Tag: make([]int32, 2), Weight: []float32{1, 1}}
		for range 3 + rng.IntN(12) {
			e.IDs = append(e.IDs, int32(25+rng.IntN(30)))
		}
		at := func() int { return 1 + rng.IntN(len(e.IDs)-1) }
		if i%2 == 0 {
			e.Score[0], e.Tag[0] = 1, 2
			e.IDs[at()] = 10
			if i%4 == 0 {
				e.IDs = append(e.IDs, 11)
				e.Tag[0] = 1
			}
		}
		if i%3 == 0 {
			e.Score[1], e.Tag[1] = 1, 1
			e.IDs = append(e.IDs, 20)
		}
		e.IDs = append(e.IDs, 3)
		e.Types = make([]int32, len(e.IDs))
		out[i] = e
	}
	return out
}

func options() Options {
	return Options{Epochs: 4, BatchSize: 16, BatchTokens: 512, MaxShapes: 1, LearningRate: 3e-3, HeadScale: 1, LayerDecay: 1, Warmup: 0.1, Schedule: "linear",
		WeightDecay: 0.01, Clip: 1, Dropout: 0.1, ScoreWeight: 0.5, TagWeight: 0.5, Seed: 11}
}

// xla opens the CPU plugin, which the first test of a machine fetches.
func xla(t testing.TB) *device.Device {
	t.Helper()
	cache := encodertest.Cache()
	name := device.CPU
	if !device.HasXLA {
		name = device.Go
	}
	d, err := device.Open(t.Context(), name, device.Options{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func start(t testing.TB, m *bert.Model, d *device.Device, train, val []Example, o Options) *Trainer {
	t.Helper()
	tr, err := New(m, d, train, val, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	if err := tr.Compile(context.Background(), func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	return tr
}

// steps runs until the trainer has done n steps.
func steps(t testing.TB, tr *Trainer, n int) (losses []float64) {
	t.Helper()
	for tr.StepsDone() < n {
		if tr.EpochOver() {
			tr.NextEpoch()
		}
		loss, _, err := tr.Step()
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
	}
	return losses
}

func equal(a, b [][]float32) bool {
	return slices.EqualFunc(a, b, func(x, y []float32) bool { return slices.Equal(x, y) })
}

// TestLearns compares with chance: a fresh network answers each score with 0.
func TestLearns(t *testing.T) {
	e, d := tiny(t), xla(t)
	for pooling, rate := range map[string]float64{bert.Mean: 5e-3, bert.Pooler: 2e-3} {
		o := options()
		o.Epochs, o.LearningRate, o.Dropout = 40, rate, 0
		tr := start(t, model(t, e, pooling), d, rows(256, 1), rows(64, 2), o)
		before, err := tr.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		steps(t, tr, tr.Total())
		after, err := tr.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for i, v := range rows(64, 2) {
			for c := range categories {
				if (after.Scores[i][c] >= 0.5) != (v.Score[c] > 0) || v.Score[c] > 0 && after.Tags[i][c] != v.Tag[c] {
					wrong++
				}
			}
		}
		if after.Loss > before.Loss/4 || wrong > 24 {
			t.Errorf("%s: loss %.3f -> %.3f, %d of 128 answers wrong", pooling, before.Loss, after.Loss, wrong)
		}
	}
}

// TestResume: a resumed fit ends with the same bytes as an undisturbed one.
func TestResume(t *testing.T) {
	e, d := tiny(t), xla(t)
	train, val := rows(64, 1), rows(16, 2)
	whole := start(t, model(t, e, bert.Mean), d, train, val, options())
	want := steps(t, whole, whole.Total())
	first := start(t, model(t, e, bert.Mean), d, train, val, options())
	got := steps(t, first, 7)
	dir := t.TempDir()
	if err := first.Save(dir); err != nil {
		t.Fatal(err)
	}
	second := start(t, model(t, e, bert.Mean), d, train, val, options())
	if err := second.Restore(dir); err != nil {
		t.Fatal(err)
	}
	got = append(got, steps(t, second, second.Total())...)
	if !slices.Equal(want, got) {
		t.Errorf("losses differ:\n%v\n%v", want, got)
	}
	a, err := whole.Weights()
	if err != nil {
		t.Fatal(err)
	}
	b, err := second.Weights()
	if err != nil {
		t.Fatal(err)
	}
	if !equal(a, b) {
		t.Error("the weights differ")
	}
	o := options()
	o.LearningRate /= 2
	other, err := New(model(t, e, bert.Mean), d, train, val, o)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Restore(dir); !errors.Is(err, ErrForeign) {
		t.Errorf("a checkpoint of other options: %v", err)
	}
	changed := rows(64, 1)
	changed[5].Tag[0] = 1 - changed[5].Tag[0]
	other, err = New(model(t, e, bert.Mean), d, changed, val, options())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Restore(dir); !errors.Is(err, ErrForeign) {
		t.Errorf("a checkpoint of other data: %v", err)
	}
}

// TestMaskedTargetsDoNotCount: what stands behind a weight of 0 changes nothing.
func TestMaskedTargetsDoNotCount(t *testing.T) {
	e, d := tiny(t), xla(t)
	train := rows(32, 1)
	for i := range train {
		train[i].Weight[1] = 0
	}
	a := start(t, model(t, e, bert.Mean), d, train, rows(8, 2), options())
	steps(t, a, 6)
	changed := rows(32, 1)
	for i := range changed {
		changed[i].Weight[1], changed[i].Score[1], changed[i].Tag[1] = 0, -1, 0
	}
	b := start(t, model(t, e, bert.Mean), d, changed, rows(8, 2), options())
	steps(t, b, 6)
	x, err := a.Weights()
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	if !equal(x, y) {
		t.Error("masked targets changed the weights")
	}
}

// TestExport: the saved model answers as the trainer's weights do, and unused
// embedding rows only decayed.
func TestExport(t *testing.T) {
	e, d := tiny(t), xla(t)
	m := model(t, e, bert.Mean)
	tr := start(t, m, d, rows(64, 1), rows(16, 2), options())
	steps(t, tr, 10)
	want, err := tr.Validate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, err := tr.Weights()
	if err != nil {
		t.Fatal(err)
	}
	out, err := tr.Export(w, tr.StepsDone())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := out.Save(dir); err != nil {
		t.Fatal(err)
	}
	loaded, err := bert.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := bert.NewPredictor(loaded, d)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var texts []bert.Text
	for _, r := range rows(16, 2) {
		texts = append(texts, bert.Text{IDs: r.IDs, Types: r.Types})
	}
	got, err := p.Predict(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		for c := range categories {
			if math.Abs(float64(got[i].Scores[c]-want.Scores[i][c])) > 1e-5 || got[i].Tags[c] != want.Tags[i][c] {
				t.Fatalf("row %d: %v %v, the trainer said %v %v", i, got[i].Scores, got[i].Tags, want.Scores[i], want.Tags[i])
			}
		}
	}
	const unused = 24 // no text holds it
	before, after := m.Params[0], out.Params[0]
	ratio := float64(after.Data[unused*32] / before.Data[unused*32])
	if decayed := tr.decayed(before, tr.StepsDone()); math.Abs(ratio-decayed) > 1e-6 || decayed >= 1 {
		t.Errorf("an unused row changed by %v, weight decay makes %v", ratio, decayed)
	}
}

// TestDiverging: a loss that is no number names its step and batch.
func TestDiverging(t *testing.T) {
	o := options()
	o.LearningRate, o.Clip, o.Warmup = 1e30, 0, 0
	tr := start(t, model(t, tiny(t), bert.Mean), xla(t), rows(32, 1), rows(8, 2), o)
	for !tr.Done() {
		if tr.EpochOver() {
			tr.NextEpoch()
			continue
		}
		if _, _, err := tr.Step(); err != nil {
			var nan *NonFiniteError
			if !errors.As(err, &nan) || nan.Step == 0 || nan.Batch == 0 {
				t.Fatalf("%v", err)
			}
			return
		}
	}
	t.Fatal("a learning rate of 1e30 did not diverge")
}

// TestFrozen: frozen weights are not fitted.
func TestFrozen(t *testing.T) {
	o := options()
	o.FreezeLayers = 1
	tr := start(t, model(t, tiny(t), bert.Mean), xla(t), rows(32, 1), rows(8, 2), o)
	for _, p := range tr.Trainable() {
		if p.Layer < 1 {
			t.Errorf("%s of layer %d is fitted", p.Name, p.Layer)
		}
	}
	if l := steps(t, tr, 4); l[3] >= l[0]*1.5 {
		t.Errorf("losses %v", l)
	}
}

func TestSchedule(t *testing.T) {
	o := Options{LearningRate: 1, Warmup: 0.1, Schedule: "linear"}
	for step, want := range map[int]float64{0: 0.1, 4: 0.5, 9: 1, 10: 1, 55: 0.5, 99: 1.0 / 90} {
		if got := o.learningRate(step, 100); math.Abs(got-want) > 1e-9 {
			t.Errorf("linear: step %d of 100 has rate %v, want %v", step, got, want)
		}
	}
	o.Schedule = "cosine"
	for step, want := range map[int]float64{10: 1, 55: 0.5, 100: 0} {
		if got := o.learningRate(step, 100); math.Abs(got-want) > 1e-9 {
			t.Errorf("cosine: step %d of 100 has rate %v, want %v", step, got, want)
		}
	}
}

// fit runs a whole fit and returns its weights and losses.
func fit(t testing.TB, tr *Trainer) (weights [][]float32, losses []float64) {
	t.Helper()
	losses = steps(t, tr, tr.Total())
	weights, err := tr.Weights()
	if err != nil {
		t.Fatal(err)
	}
	return weights, losses
}

// far is the largest relative distance.
func far(a, b []float64) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(a[i]-b[i])/math.Max(math.Abs(b[i]), 1e-9))
	}
	return worst
}

// TestPackedIsExact: texts that share a row do not see each other. Rows that
// hold one text each make the same steps up to rounding.
func TestPackedIsExact(t *testing.T) {
	e, d := tiny(t), xla(t)
	for _, pooling := range []string{bert.Mean, bert.Pooler} {
		o := options()
		o.Dropout, o.Epochs = 0, 2
		train := rows(16, 1) // one batch an epoch, whatever the packing
		packed := start(t, model(t, e, pooling), d, train, rows(8, 2), o)
		if s := packed.Shapes()[0]; s.Rows >= s.Texts {
			t.Fatalf("nothing is packed: %+v", s)
		}
		alone := start(t, model(t, e, pooling), d, train, rows(8, 2), o)
		for _, c := range alone.packing.buckets {
			c.most, c.shape = 1, Shape{16, 24, 16}
			alone.packing.buckets = []bucket{c}
		}
		alone.accumulate(1)
		alone.shuffle()
		_, a := fit(t, packed)
		_, b := fit(t, alone)
		if worst := far(a, b); worst > 1e-5 {
			t.Errorf("%s: losses %v packed, %v alone", pooling, a, b)
		}
	}
}

// TestAccumulation: a batch that is cut up makes the same step.
func TestAccumulation(t *testing.T) {
	e, d := tiny(t), xla(t)
	o := options()
	o.Dropout = 0
	_, want := fit(t, start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o))
	o.Accumulate = 3
	_, got := fit(t, start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o))
	if worst := far(got, want); worst > 1e-3 {
		t.Errorf("losses differ by %v", worst)
	}
}

// fullDevice is a device whose programs find no memory when they run.
type (
	fullDevice  struct{ compute.Backend }
	fullBuilder struct{ compute.Builder }
	fullProgram struct{ compute.Executable }
)

func (d fullDevice) Builder(name string) compute.Builder { return fullBuilder{d.Backend.Builder(name)} }

func (b fullBuilder) Compile() (compute.Executable, error) {
	p, err := b.Builder.Compile()
	return fullProgram{p}, err
}

func (fullProgram) Execute([]compute.Buffer, []bool, compute.DeviceNum) ([]compute.Buffer, error) {
	return nil, errors.New("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
}

// TestDoubleAccumulation: a step that does not fit is made in halves, from the last
// snapshot on, with the same effective batch.
func TestDoubleAccumulation(t *testing.T) {
	e, d := tiny(t), xla(t)
	o := options()
	o.Dropout = 0
	tr := start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o)
	got := steps(t, tr, 3)
	dir := t.TempDir()
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(got), steps(t, tr, tr.Total())...)
	if err := tr.Restore(dir); err != nil {
		t.Fatal(err)
	}
	whole := program{stepProgram, tr.Shapes()[0]}
	g := NewGraph(fullDevice{d.Backend}, whole.String())
	if err := g.Compile(tr.stepGraph(g, whole.shape)...); err != nil {
		t.Fatal(err)
	}
	tr.programs[whole].Finalize()
	tr.programs[whole] = g
	_, _, err := tr.Step()
	var full *device.OutOfMemoryError
	if !errors.As(err, &full) {
		t.Fatalf("got %v", err)
	}
	if !tr.DoubleAccumulation() {
		t.Fatal("cannot be halved")
	}
	if err := tr.Restore(dir); err != nil {
		t.Fatal(err)
	}
	got = append(got, steps(t, tr, tr.Total())...)
	if worst := far(got, want); worst > 1e-3 || tr.AccumulationSteps() != 2 {
		t.Errorf("losses differ by %v, %d parts", worst, tr.AccumulationSteps())
	}
	for tr.DoubleAccumulation() {
	}
	if s := tr.Shapes()[0]; s.Rows != 1 {
		t.Errorf("halved down to %+v", s)
	}
}

// TestFrozenCache: with the frozen layers' output computed once, the fit
// is the same as with computing it in every step.
func TestFrozenCache(t *testing.T) {
	e, d := tiny(t), xla(t)
	for _, freeze := range []func(*Options){func(o *Options) { o.FreezeLayers = 1 }, func(o *Options) { o.FreezeEmbed = true }} {
		o := options()
		freeze(&o)
		o.AltProb = 0.5
		train := rows(32, 1)
		for i := range train {
			train[i].Alt = append([]int32{2, 4}, train[i].IDs[2:]...)
			train[i].AltTypes = make([]int32, len(train[i].Alt))
		}
		kept := start(t, model(t, e, bert.Mean), d, train, rows(8, 2), o)
		if kept.cache == nil {
			t.Fatal("nothing is kept")
		}
		again, err := New(model(t, e, bert.Mean), d, train, rows(8, 2), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(again.Close)
		_, a := fit(t, kept)
		_, b := fit(t, again)
		if worst := far(a, b); worst > 1e-4 {
			t.Errorf("losses differ by %v", worst)
		}
		x, err := kept.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		y, err := again.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(x.Loss-y.Loss) > 1e-4*y.Loss {
			t.Errorf("validation losses %v and %v", x.Loss, y.Loss)
		}
	}
}

// TestWarmUp: running everything once before the first step changes nothing
// after a restore, and a shorter fit has a schedule of its own.
func TestWarmUp(t *testing.T) {
	e, d := tiny(t), xla(t)
	tr := start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), options())
	dir := t.TempDir()
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	want, _ := fit(t, tr)
	if err := tr.Restore(dir); err != nil {
		t.Fatal(err)
	}
	epoch, validation, loss, err := tr.WarmUp(t.Context(), func(int, int) {})
	if err != nil || epoch <= 0 || validation <= 0 || loss <= 0 {
		t.Fatalf("%v %v %v %v", epoch, validation, loss, err)
	}
	if err := tr.Restore(dir); err != nil {
		t.Fatal(err)
	}
	got, _ := fit(t, tr)
	if !equal(got, want) {
		t.Error("the weights differ")
	}
	short := tr
	if err := short.Restore(dir); err != nil {
		t.Fatal(err)
	}
	short.Limit(6)
	n := 0
	for !short.Done() {
		for !short.EpochOver() {
			if _, _, err := short.Step(); err != nil {
				t.Fatal(err)
			}
			n++
		}
		short.NextEpoch()
	}
	if rate := short.o.learningRate(5, short.total); n != 6 || rate > short.o.LearningRate/3 {
		t.Errorf("%d steps, the last at a rate of %v", n, rate)
	}
}

// TestHalfPrecision: bfloat16 learns the same, not to the digit.
func TestHalfPrecision(t *testing.T) {
	e, d := tiny(t), xla(t)
	o := options()
	o.Dropout = 0
	_, want := fit(t, start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o))
	o.Half = true
	_, got := fit(t, start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o))
	if worst := far(got, want); worst > 0.1 || worst == 0 {
		t.Errorf("losses differ by %v:\n%v\n%v", worst, want, got)
	}
}
