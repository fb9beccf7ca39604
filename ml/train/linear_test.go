package train

import (
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
)

// linear is a tiny model whose linear heads are 0.
func linear(t *testing.T) *bert.Model {
	t.Helper()
	e := tiny(t)
	m, err := bert.FromEncoder(e, bert.Spec{Categories: categories, Pooling: bert.Mean, MaxLength: 24, Text: []string{"title"}, Linear: true}, 7)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]float32, e.Config.HiddenSize+1)
	l := &bert.Linear{Mean: make([]float32, e.Config.HiddenSize), Scale: 1.5, Tag: [][][]float32{{zeros, zeros, zeros}, {zeros, zeros}}, Score: [][]float32{zeros, zeros}}
	l.Mean[0] = 0.25
	if err := m.SetLinear(l); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLinearFit: linear heads learn with the encoder, their centre and scale stay, and so
// they do over frozen layers whose output is kept.
func TestLinearFit(t *testing.T) {
	d := xla(t)
	o := options()
	o.Epochs, o.LearningRate, o.HeadScale = 10, 3e-3, 10
	for _, o.FreezeLayers = range []int{0, 1} {
		tr := start(t, linear(t), d, rows(128, 1), rows(32, 2), o)
		if o.FreezeLayers > 0 && tr.cache == nil {
			t.Fatal("nothing is kept")
		}
		before, err := tr.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		weights, _ := fit(t, tr)
		after, err := tr.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if after.Loss > 0.8*before.Loss {
			t.Errorf("%d layers frozen: loss %.3f -> %.3f", o.FreezeLayers, before.Loss, after.Loss)
		}
		m, err := tr.Export(weights, tr.StepsDone())
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range m.Params {
			if p.Constant != slices.Equal(p.Data, tr.model.Params[i].Data) && (p.Constant || p.Layer > 0) {
				t.Errorf("%d layers frozen: %s changed %v", o.FreezeLayers, p.Name, p.Constant)
			}
		}
	}
}
