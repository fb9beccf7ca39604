package bert_test

import (
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// TestPrune: a model without the rows of unused pieces gives the same scores to the bit, after
// it is saved and read too, for both families.
func TestPrune(t *testing.T) {
	dev := goDevice(t)
	for name, c := range map[string]struct {
		dir   string
		texts []string
	}{
		"unigram":   {encodertest.XLMRoberta(t), []string{"en katt", "polis och brand", "zebra öl"}},
		"wordpiece": {encodertest.Swedish(t, "gelu"), []string{"Polisen i Stockholm", "brand 7"}},
	} {
		enc, err := encoder.Load(c.dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := bert.FromEncoder(enc, bert.Spec{Categories: []bert.Category{{Name: "x", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 4, MaxLength: 32, Text: []string{"title"}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		encode := func(m *bert.Model) []bert.Text {
			return bert.EncodeTexts(m, c.texts, func(text string) (string, string) { return text, "" })
		}
		pruned, old, err := m.Prune(encode(m))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		dir := t.TempDir()
		if err := pruned.Save(dir); err != nil {
			t.Fatal(err)
		}
		again, err := bert.Load(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c0, c1 := m.Spec.Encoder, again.Spec.Encoder
		if len(old) >= c0.VocabSize || c1.VocabSize != len(old) || c1.PositionOffset() != c0.PositionOffset() || m.Spec.Encoder.VocabSize != enc.Config.VocabSize {
			t.Errorf("%s: %d of %d ids, %+v", name, len(old), c0.VocabSize, c1)
		}
		want, got := predict(t, m, dev, encode(m)), predict(t, again, dev, encode(again))
		for i := range want {
			if !slices.Equal(want[i].Scores, got[i].Scores) {
				t.Errorf("%s: %q has %v, had %v", name, c.texts[i], got[i].Scores, want[i].Scores)
			}
		}
	}
}

func predict(t *testing.T, m *bert.Model, dev *device.Device, texts []bert.Text) []bert.Prediction {
	t.Helper()
	p, err := bert.NewPredictor(m, dev)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	out, err := p.Predict(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
