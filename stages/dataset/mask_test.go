package dataset_test

import (
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

// TestHiddenWordIsOneToken: what stands for a word of a rule is one token that the encoder
// knows, in every family of vocabularies, and no piece of the word is left.
func TestHiddenWordIsOneToken(t *testing.T) {
	tax, problems := taxonomy.Parse([]byte("categories:\n  - name: fire\n    rules: [{id: f, words: [brand]}]\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for name, dir := range map[string]string{"<mask>": encodertest.XLMRoberta(t), "[MASK]": encodertest.Swedish(t, "gelu")} {
		e, err := encoder.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "fire", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 1, MaxLength: 32, Text: []string{"title"}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		mask, ok := m.Tokenizer.ID(name)
		if !ok || m.Tokenizer.Mask() != name {
			t.Fatalf("the vocabulary with %s calls a hidden word %q", name, m.Tokenizer.Mask())
		}
		hidden := dataset.EncodeWithoutRules(tax, m, []rows.Row{{Title: "brand"}, {Title: "polis"}}, m.Tokenizer.Mask())
		if ids := hidden[0].IDs; len(ids) != 3 || ids[1] != mask {
			t.Errorf("with %s, %d, a hidden word is %v", name, mask, ids)
		}
		if want, _ := m.Encode("polis", ""); len(hidden[1].IDs) != len(want) {
			t.Errorf("with %s a text without such words is %v, want %v", name, hidden[1].IDs, want)
		}
	}
}
