package train

import (
	"cmp"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
)

// ours is what sprint's own code makes of a case; the names are those of
// parity.py.
type ours struct {
	request request
	states  []float32              // of all texts' tokens, one after the other
	pooled  map[string][][]float32 // by pooling
	tensors map[string][]float32   // <fit>.<clipped, gradient or moved>.<tensor>
	losses  map[string][]float64   // by fit
}

// The fits of a case.
const (
	curve = "curve" // steps with the case's options
	decay = "decay" // one step in which no target counts: the gradient is 0
)

// run lets the real code work: packed rows, compiled steps, export. A reference
// fixes the batches; without one they are those that the trainer chooses.
func (c parityCase) run(t *testing.T, d *device.Device, texts, steps int, fixed [][]int) *ours {
	t.Helper()
	m := c.model(t)
	u := &ours{pooled: map[string][][]float32{}, tensors: map[string][]float32{}, losses: map[string][]float64{}}
	u.request = request{Texts: parityTexts(m, texts), Examples: parityExamples(parityTexts(m, 200), 64), Fits: map[string]fitRequest{}}
	u.pooled[c.pooling] = pooledBy(t, d, m, u.request.Texts)
	u.fit(t, d, m, curve, fitRequest{Options: c.o, Batches: fixed}, steps, func(tr *Trainer) {
		// The first moments are now the clipped gradients times 1-beta1.
		u.gradients(t, tr, m, "clipped", tr.state[len(tr.trainable):2*len(tr.trainable)], 1-beta1)
	})
	o := c.o
	o.LearningRate, o.WeightDecay, o.Warmup = 0.1, 0.1, 0 // so that rounding is small beside the decay
	u.fit(t, d, m, decay, fitRequest{Options: o, Batches: u.request.Fits[curve].Batches[:1], Masked: true}, 1, nil)
	return u
}

// more adds what takes too long for every test run: all tokens' vectors, all
// poolings, and the gradients of a batch in several accumulation steps.
func (c parityCase) more(t *testing.T, d *device.Device, u *ours) {
	t.Helper()
	m := c.model(t)
	for _, how := range []string{bert.Mean, bert.CLS, bert.Pooler} {
		if other := c; how != c.pooling && (how != bert.Pooler || m.Spec.Encoder.Rotary == nil) {
			other.pooling = how
			u.pooled[how] = pooledBy(t, d, other.model(t), u.request.Texts)
		}
	}
	o := c.o
	o.FreezeLayers = m.Spec.Encoder.NumHiddenLayers // so that the trainer keeps the last layer's output
	var all []example
	for _, x := range u.request.Texts {
		k := len(parityCategories)
		all = append(all, example{IDs: x.IDs, Types: x.Types, Score: make([]float32, k), Tag: make([]int32, k), Weight: make([]float32, k)})
	}
	tr, err := New(m, d, examples(all, false), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.fillFrozenCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range u.request.Texts {
		u.states = append(u.states, tr.cache.outputs(false)(i, false)...)
	}
	o = c.o
	o.Accumulate = 2
	const parts = "parts"
	u.fit(t, d, m, parts, fitRequest{Options: o, Batches: u.request.Fits[curve].Batches[:1]}, 1, func(tr *Trainer) {
		u.gradients(t, tr, m, "gradient", tr.gradients, 1)
	})
	delete(u.request.Fits, parts)
}

// fit runs a fit of steps steps; see is called after the first.
func (u *ours) fit(t *testing.T, d *device.Device, m *bert.Model, name string, f fitRequest, steps int, see func(*Trainer)) {
	t.Helper()
	tr, err := New(m, d, examples(u.request.Examples, f.Masked), nil, f.Options)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	tr.Limit(steps)
	if f.Batches != nil {
		tr.take(f.Batches)
	}
	f.Batches = nil
	for !tr.Done() {
		if tr.EpochOver() {
			tr.NextEpoch()
			continue
		}
		f.Batches = append(f.Batches, slices.Concat(tr.order[tr.cursor].rows...))
		loss, _, err := tr.Step()
		if err != nil {
			t.Fatal(err)
		}
		u.losses[name] = append(u.losses[name], loss)
		if tr.StepsDone() == 1 && see != nil {
			see(tr)
		}
	}
	u.request.Fits[name] = f
	w, err := tr.Weights()
	if err != nil {
		t.Fatal(err)
	}
	out, err := tr.Export(w, tr.StepsDone())
	if err != nil {
		t.Fatal(err)
	}
	before := named(t, m)
	for tensor, x := range named(t, out) {
		moved := make([]float32, len(x))
		for i := range x {
			moved[i] = float32(float64(x[i]) - float64(before[tensor][i]))
		}
		u.tensors[name+".moved."+tensor] = moved
	}
}

// take makes the trainer use the given batches, whatever its own packing would
// choose: one shape that holds each of them.
func (t *Trainer) take(batches [][]int) {
	s := Shape{Length: 2 * slices.Max(t.packing.lengths)}
	t.order = nil
	for _, b := range batches {
		rows := pack(t.packing.lengths, b, s.Length, len(b), nil)
		s.Rows, s.Texts = max(s.Rows, len(rows)), max(s.Texts, len(b))
		t.order = append(t.order, batch{0, rows})
	}
	t.shapes = []Shape{s}
}

// gradients keeps values, one per trainable parameter, divided by scale.
func (u *ours) gradients(t *testing.T, tr *Trainer, m *bert.Model, kind string, values []*tensors.Tensor, scale float64) {
	t.Helper()
	g := *m
	g.Params = slices.Clone(m.Params)
	for i, p := range g.Params {
		at := slices.IndexFunc(tr.trainable, func(q bert.Param) bool { return q.Name == p.Name })
		data := tensors.MustCopyFlatData[float32](values[at])
		for j := range data {
			data[j] = float32(float64(data[j]) / scale)
		}
		if p.Name == bert.WordEmbeddings {
			data = tr.vocab.expand(make([]float32, p.Size()), data, 1)
		}
		g.Params[i].Data = data
	}
	for name, x := range named(t, &g) {
		u.tensors[curve+"."+kind+"."+name] = x
	}
}

// named gives a model's tensors by their names in the file.
func named(t *testing.T, m *bert.Model) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for _, x := range m.Tensors() {
		data, err := x.Float32()
		if err != nil {
			t.Fatal(err)
		}
		out[x.Name] = data
	}
	return out
}

// pooledBy encodes texts of like length together.
func pooledBy(t *testing.T, d *device.Device, m *bert.Model, texts []text) [][]float32 {
	t.Helper()
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(texts[a].IDs), len(texts[b].IDs)) })
	out := make([][]float32, len(texts))
	for part := range slices.Chunk(order, 64) {
		var in []bert.Text
		for _, i := range part {
			in = append(in, bert.Text{IDs: texts[i].IDs, Types: texts[i].Types})
		}
		vectors, err := bert.Pooled(m, d, in, false)
		if err != nil {
			t.Fatal(err)
		}
		for k, i := range part {
			out[i] = vectors[k]
		}
	}
	return out
}
