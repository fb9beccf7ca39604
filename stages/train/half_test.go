package train

import (
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// TestKeptAsHalf: with dtype: fp16 the same fit is kept in about half the bytes.
func TestKeptAsHalf(t *testing.T) {
	dir, size := encodertest.Tiny(t), map[string]int{}
	for _, dtype := range []string{"fp32", "fp16"} {
		o := options(dir)
		o.Epochs, o.DType = 1, dtype
		r := stagetest.MustRun(t, attempt(t, o))
		size[dtype] = len(r.Tree(t, "model")["model.safetensors"])
	}
	if size["fp16"] > size["fp32"]*6/10 {
		t.Errorf("%v bytes", size)
	}
}

func TestMoved(t *testing.T) {
	a := []bert.Prediction{{Scores: []float32{0.5, -0.25}}, {Scores: []float32{1, 0}}}
	b := []bert.Prediction{{Scores: []float32{0.5, -0.5}}, {Scores: []float32{0.875, 0}}}
	if got := moved(a, b); got != 0.25 {
		t.Errorf("%v, want 0.25", got)
	}
}
