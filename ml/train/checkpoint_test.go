package train

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
)

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
