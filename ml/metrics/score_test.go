package metrics

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func rowsOf(positive ...int) []bool {
	out := make([]bool, len(positive))
	for i, p := range positive {
		out[i] = p == 1
	}
	return out
}

func TestScoreByHand(t *testing.T) {
	// a: 8 positives, 6 found, 2 false alarms. b: 1 positive, found.
	var truths []Truth
	var answers []Answer
	for i := range 12 {
		truths = append(truths, Truth{Positive: []bool{i < 8, i == 11}, Tags: []string{map[bool]string{true: "x"}[i < 4], ""}})
		answers = append(answers, Answer{Positive: []bool{i < 6 || i >= 10, i == 11}, Tags: []string{map[bool]string{true: "x", false: "y"}[i < 3], ""}})
	}
	r := Score([]string{"a", "b"}, truths, answers, []float64{0.5, 0.4})
	a, b := r.PerCategory["a"], r.PerCategory["b"]
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	near("precision", a.Precision, 6.0/8)
	near("recall", a.Recall, 6.0/8)
	near("f1", a.F1, 0.75)
	near("tags", a.TagAccuracy, 3.0/4)
	near("f1 of b", b.F1, 1)
	near("macro", r.MacroF1, 0.75) // b has under 8 positives
	near("micro", r.MicroF1, 2*7.0/(2*7+2+2))
	if len(r.Unsupported) != 1 || r.Unsupported[0] != "b" || a.Support != 8 || b.Threshold != 0.4 {
		t.Errorf("%+v", r)
	}
}

func TestUnknownIsNotNegative(t *testing.T) {
	truths := []Truth{{Positive: rowsOf(0), Known: rowsOf(0)}, {Positive: rowsOf(1), Known: rowsOf(1)}}
	answers := []Answer{{Positive: rowsOf(1)}, {Positive: rowsOf(1)}}
	if c := Score([]string{"a"}, truths, answers, nil).PerCategory["a"]; c.Precision != 1 {
		t.Errorf("an undecided row counts as a false alarm: %+v", c)
	}
}

func TestMajority(t *testing.T) {
	a := Majority([]Truth{{Positive: rowsOf(1, 0, 1)}, {Positive: rowsOf(1, 0, 0)}, {Positive: rowsOf(0, 1, 0), Known: rowsOf(1, 1, 0)}}, 3)
	if a.Positive[0] != true || a.Positive[1] != false || a.Positive[2] != false {
		t.Errorf("%v", a.Positive)
	}
}

func TestEmptyHasNoNaN(t *testing.T) {
	b, err := json.Marshal(Score([]string{"a"}, nil, nil, nil))
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}
}

func TestThreshold(t *testing.T) {
	var scores []float32
	var truth []bool
	for i := range 20 {
		scores, truth = append(scores, float32(i)/20), append(truth, i >= 10)
	}
	if got := Threshold(scores, truth); math.Abs(got-0.475) > 1e-6 {
		t.Errorf("separable at %v, want the middle 0.475", got)
	}
	if got := Threshold(scores[:12], truth[:12]); got != 0.5 {
		t.Errorf("two positives give %v, want 0.5", got)
	}
}

// TestThresholdIsBest: no other cut has a better F1.
func TestThresholdIsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(20, 60).Draw(t, "n")
		scores, truth := make([]float32, n), make([]bool, n)
		for i := range scores {
			scores[i] = float32(rapid.IntRange(-98, 98).Draw(t, "score")) / 100
			truth[i] = rapid.Bool().Draw(t, "truth")
		}
		f1 := func(cut float64) float64 {
			right, wrong := 0, 0
			for i, s := range scores {
				switch said := float64(s) >= cut; {
				case said && truth[i]:
					right++
				case said != truth[i]:
					wrong++
				}
			}
			return ratio(2*right, 2*right+wrong)
		}
		got := Threshold(scores, truth)
		positives := 0
		for _, x := range truth {
			if x {
				positives++
			}
		}
		if positives < minPositives {
			return
		}
		for _, s := range scores {
			if f1(float64(s)) > f1(got)+1e-9 {
				t.Fatalf("threshold %v has F1 %v, %v has %v", got, f1(got), s, f1(float64(s)))
			}
		}
	})
}
