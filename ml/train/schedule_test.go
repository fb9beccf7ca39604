package train

import (
	"math"
	"testing"
)

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
