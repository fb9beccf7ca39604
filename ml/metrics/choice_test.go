package metrics

import (
	"math"
	"reflect"
	"testing"
)

func one(category, categories int) Truth {
	t := Truth{Positive: make([]bool, categories), Tags: make([]string, categories)}
	if category >= 0 {
		t.Positive[category] = true
	}
	return t
}

// TestChoiceFigures are counted by hand: three categories, answers to six rows and one
// that nobody decided.
func TestChoiceFigures(t *testing.T) {
	var truths []Truth
	var answers []Answer
	for _, x := range [][2]int{{0, 0}, {0, 1}, {1, 1}, {2, -1}, {-1, -1}, {-1, 0}} {
		truths, answers = append(truths, one(x[0], 3)), append(answers, Answer{Positive: one(x[1], 3).Positive, Tags: make([]string, 3)})
	}
	open := one(2, 3)
	open.Known = make([]bool, 3)
	truths, answers = append(truths, open), append(answers, answers[0])
	if got := Accuracy(truths, answers); got != 0.5 {
		t.Errorf("accuracy %v", got)
	}
	want := [][]int{{1, 1, 0, 0}, {0, 1, 0, 0}, {0, 0, 0, 1}, {1, 0, 0, 1}}
	if got := ChoiceConfusion(3, truths, answers); !reflect.DeepEqual(got, want) {
		t.Errorf("confusion %v", got)
	}
	// 0 and none are equally frequent: the first of the order wins, none is no category.
	if got := Commonest(truths, 3); Choice(got.Positive) != 0 {
		t.Errorf("the most frequent is %v", got.Positive)
	}
	if got := Commonest(append(truths, one(-1, 3)), 3); Choice(got.Positive) != -1 {
		t.Errorf("most rows have none, the most frequent is %v", got.Positive)
	}
	names := []string{"a", "b", "c"}
	b := NewBootstrap(names, truths, answers, answers)
	r := Score(names, truths, answers, nil)
	if b.Annotate(&r, 0); r.CI.Accuracy != nil {
		t.Error("a report without accuracy has an interval of it")
	}
	r.Accuracy = new(Accuracy(truths, answers))
	if b.Annotate(&r, 0); !(r.CI.Accuracy[0] < 0.5 && r.CI.Accuracy[1] > 0.5) {
		t.Errorf("interval %v", r.CI.Accuracy)
	}
	if d := b.Difference(0, r, 1, r); d.Accuracy == nil || d.Accuracy.Value != 0 || d.Accuracy.CI != (Interval{}) {
		t.Errorf("difference of equal answers %+v", d.Accuracy)
	}
}

// TestChoiceTemperature: answers that are three times too sure are cooled by three, and
// are then as sure as they are right.
func TestChoiceTemperature(t *testing.T) {
	var logits, targets [][]float32
	for i := range 1000 {
		x := []float32{0, 0, 0}
		p := []float64{0.5, 0.6, 0.7, 0.8, 0.9}[i%5]
		x[i%3] = float32(3 * math.Log(2*p/(1-p)))
		target := make([]float32, 3)
		at := i % 3
		if float64(i/5%100) >= 100*p {
			at = (at + 1 + i/500) % 3
		}
		target[at] = 1
		logits, targets = append(logits, x), append(targets, target)
	}
	temperature := LeastTemperature(func(t float64) float64 { return ChoiceLoss(logits, targets, t) })
	if math.Abs(temperature-3) > 0.1 {
		t.Errorf("temperature %v", temperature)
	}
	ece := func(temperature float64) float64 {
		var sure []float64
		var right []bool
		for i, x := range logits {
			sure, right = append(sure, Softmax(x, temperature)[i%3]), append(right, targets[i][i%3] == 1)
		}
		return CalibrateChoice(sure, right).ECE
	}
	if before, after := ece(1), ece(temperature); before < 0.2 || after > 0.02 {
		t.Errorf("calibration error %v, then %v", before, after)
	}
}
