package heads

import (
	"math"
	"slices"
	"testing"
)

// TestCurve: sizes grow up to all, the last point is that of the folds, more rows help,
// and labels that are not drawn are not looked at.
func TestCurve(t *testing.T) {
	vectors, l := clusters(400, 24, 4, 0.5)
	z := features(t, vectors)
	o := Defaults()
	h, err := Train(t.Context(), z, l, o)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := Curve(t.Context(), z, l, o, h.OutOfFold)
	if err != nil {
		t.Fatal(err)
	}
	var rows []int
	for _, p := range curve {
		rows = append(rows, p.Rows)
		if !(p.MacroF1 > 0 && p.MacroF1 <= 1) || p.Outputs != 4 {
			t.Errorf("%+v", p)
		}
	}
	last := curve[len(curve)-1]
	if !slices.Equal(rows[:len(rows)-1], []int{10, 20, 50, 100}) || last.Rows < 120 || last.Rows > 200 || last.MacroF1 != h.Agreement {
		t.Errorf("%v, agreement %v", curve, h.Agreement)
	}
	if last.MacroF1 < curve[0].MacroF1+0.02 || curve[3].MacroF1 < curve[0].MacroF1+0.02 {
		t.Errorf("all rows, or a hundred, teach no more than ten: %v", curve)
	}
	again, err := Curve(t.Context(), z, l, o, h.OutOfFold)
	if err != nil || !slices.Equal(again, curve) {
		t.Errorf("another curve: %v %v", again, err)
	}
}

// TestCurveNeedsItsLabels: labels that say nothing of the vectors give a flat curve by
// chance, and few rows a single point.
func TestCurveNeedsItsLabels(t *testing.T) {
	vectors, l := clusters(300, 256, 2, 1) // so wide that heads know by heart what they have seen
	for i := range 300 {                   // half of the rows of each kind
		k := i % 2
		l.Target[2*i], l.Target[2*i+1] = float64(1-k), float64(k)
	}
	o := Defaults()
	o.Rounds = 0
	z := features(t, vectors)
	h, err := Train(t.Context(), z, l, o)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := Curve(t.Context(), z, l, o, h.OutOfFold)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range curve {
		if math.Abs(p.MacroF1-0.5) > 0.15 {
			t.Errorf("labels by chance: %v", curve)
		}
	}
	few, fewLabels := clusters(8, 6, 2, 1)
	fewZ := features(t, few)
	h, err = Train(t.Context(), fewZ, fewLabels, o)
	if err != nil {
		t.Fatal(err)
	}
	if curve, err = Curve(t.Context(), fewZ, fewLabels, o, h.OutOfFold); err != nil || len(curve) != 1 || curve[0].Outputs != 0 {
		t.Errorf("eight rows: %v %v", curve, err)
	}
}

// BenchmarkCurve is what a curve costs beside the fit on 2,000 labelled rows of 5,000.
func BenchmarkCurve(b *testing.B) {
	vectors, l := clusters(5000, 384, 5, 0.4)
	z := features(b, vectors)
	h, err := Train(b.Context(), z, l, Defaults())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Curve(b.Context(), z, l, Defaults(), h.OutOfFold); err != nil {
			b.Fatal(err)
		}
	}
}
