package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestTemperKeepsOrderAndRange(t *testing.T) {
	for _, temperature := range []float64{0.1, 0.5, 1, 2, 10} {
		last := math.Inf(-1)
		for s := -1.0; s <= 1; s += 1.0 / 512 {
			x := Temper(s, temperature)
			if x < last || x < -1 || x > 1 || s <= 0 && x != s {
				t.Fatalf("T %g: %g becomes %g after %g", temperature, s, x, last)
			}
			last = x
		}
		if math.Abs(Temper(0.5, temperature)-0.5) > 1e-12 {
			t.Errorf("T %g moves one half", temperature)
		}
	}
	if Temper(0.8, 2) >= 0.8 || Temper(0.8, 0.5) <= 0.8 || Temper(0.8, 0) != 0.8 {
		t.Error("the direction is wrong")
	}
}

// TestTemperature: scores made over- and underconfident by a known temperature
// get it back, and are calibrated then.
func TestTemperature(t *testing.T) {
	for _, made := range []float64{0.4, 1, 2.5} {
		rng := rand.New(rand.NewPCG(3, 4))
		var scores []float32
		var truth []bool
		for range 20_000 {
			p := rng.Float64()
			truth = append(truth, rng.Float64() < p)
			scores = append(scores, float32(Temper(p, 1/made)))
		}
		got := Temperature(scores, truth)
		if math.Abs(got-made) > 0.08*made {
			t.Errorf("made with %g, found %g", made, got)
		}
		tempered := make([]float32, len(scores))
		for i, s := range scores {
			tempered[i] = float32(Temper(float64(s), got))
		}
		if before, after := ece(scores, truth), ece(tempered, truth); after > 0.015 || made != 1 && before < 0.05 {
			t.Errorf("made with %g: the error is %.3f before and %.3f after", made, before, after)
		}
	}
	if got := Temperature([]float32{0, -0.5, 0}, []bool{true, false, true}); got != 1 {
		t.Errorf("nothing to gain: %g", got)
	}
}

func ece(scores []float32, truth []bool) float64 {
	truths := make([]Truth, len(truth))
	for i, t := range truth {
		truths[i].Positive = []bool{t}
	}
	return Calibrate(truths, 0, func(row int) float64 { return float64(scores[row]) }).ECE
}
