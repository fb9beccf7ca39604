package train

import (
	"cmp"
	"slices"

	"github.com/gomlx/compute/dtypes"
	gshapes "github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
)

// accumulate makes a step run its batch in accumulation steps whose gradients are summed.
func (t *Trainer) accumulate(parts int) {
	t.accumulation = parts
	t.shapes = t.packing.shapes(parts)
}

// AccumulationSteps is the number of passes over which the gradients of a batch are summed.
func (t *Trainer) AccumulationSteps() int { return t.accumulation }

// DoubleAccumulation takes twice as many accumulation steps, for a device whose memory a
// batch did not fit. The state is gone with the step that failed: Restore it. It
// reports whether smaller steps are possible.
func (t *Trainer) DoubleAccumulation() bool {
	if !slices.ContainsFunc(t.shapes, func(s Shape) bool { return s.Rows > 1 }) {
		return false
	}
	_ = device.Guard("free programs", func() error { t.freePrograms(); return nil })
	t.accumulate(2 * t.accumulation)
	return true
}

// accumulationStep runs a batch, or a part of one: alone it makes the whole step and
// returns its loss.
func (t *Trainer) accumulationStep(a collated, s Shape, hyper []float32, seed uint32) (float64, error) {
	feed := t.feed(a, s, hyper, seed)
	defer finalize(feed)
	var out []*tensors.Tensor
	var err error
	if t.accumulation == 1 {
		out, err = t.run(program{stepProgram, s}, t.state, slices.Concat(t.constants(), feed))
	} else {
		if t.gradients == nil {
			for _, p := range t.trainable {
				t.gradients = append(t.gradients, tensors.FromFlatDataAndDimensions(make([]float32, p.Size()), p.Shape...))
			}
		}
		out, err = t.run(program{gradientProgram, s}, t.gradients, slices.Concat(t.state[:len(t.trainable)], t.constants(), feed))
	}
	if err != nil {
		return 0, err
	}
	last := out[len(out)-1]
	loss := float64(last.Value().(float32))
	last.MustFinalizeAll()
	if out = out[:len(out)-1]; t.accumulation == 1 {
		t.state = out
	} else {
		t.gradients = out
	}
	return loss, nil
}

func (t *Trainer) gradientGraph(g *Graph, s Shape) []*Node {
	sums, w := t.group(g, "s."), t.group(g, "w.")
	in := t.batchInputs(g, s, w)
	grads, loss := t.lossGradients(in, w)
	more := GreaterThan(scalar(in.hyper, hyperAccumulate), ScalarZero(g, dtypes.Float32))
	for i := range grads {
		grads[i] = Add(Where(more, sums[i], ZerosLike(sums[i])), grads[i])
	}
	return append(grads, loss)
}

func (t *Trainer) updateGraph(g *Graph, _ Shape) []*Node {
	w, m, v := t.group(g, "w."), t.group(g, "m."), t.group(g, "v.")
	sums := t.group(g, "s.")
	return t.adamW(w, m, v, sums, Parameter(g, "hyper", gshapes.Make(dtypes.Float32, hypers)))
}

// spread spreads rows over parts so that the parts hold nearly equal numbers of
// rows and of texts. Those numbers depend on the rows' sizes alone.
func spread(rows [][]int, parts int) [][][]int {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })
	out := make([][][]int, parts)
	for i, r := range rows {
		at := i % parts
		if i/parts%2 == 1 {
			at = parts - 1 - at
		}
		out[at] = append(out[at], r)
	}
	return out
}

// largest is the largest number of rows and of texts in a part.
func largest(parts [][][]int) (rows, texts int) {
	for _, p := range parts {
		rows, texts = max(rows, len(p)), max(texts, batch{rows: p}.texts())
	}
	return rows, texts
}
