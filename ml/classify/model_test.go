package classify

import (
	"context"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// silent is a network that is asked nothing.
type silent struct{ m *bert.Model }

func (s silent) Model() *bert.Model                                       { return s.m }
func (silent) Predict(context.Context, []bert.Text) ([]Prediction, error) { return nil, nil }
func (silent) Close()                                                     {}

// TestTokensOfAnyNetwork: whatever computes a model, it says how long a text is for it: by
// that texts are gathered, and those that are too long refused.
func TestTokensOfAnyNetwork(t *testing.T) {
	tax, problems := taxonomy.Parse([]byte("categories:\n  - name: fire\n    rules: [{words: [fire]}]\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "fire", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 4, MaxLength: 6, Text: []string{"title"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	c := New(tax)
	if err := c.LoadInto(dir, func(m *bert.Model) (Network, error) { return silent{m}, nil }); err != nil {
		t.Fatal(err)
	}
	counts, ok := c.Model.(interface {
		Tokens(t Text) int
		MaxTokens() int
	})
	if !ok {
		t.Fatalf("%T does not say how long a text is", c.Model)
	}
	for title, want := range map[string]int{"waa": 3, "waa wab": 4, "waa wab waa wab waa wab": 6} {
		if n := counts.Tokens(Text{Title: title}); n != want {
			t.Errorf("%s has %d tokens, want %d", title, n, want)
		}
	}
	if counts.MaxTokens() != 6 {
		t.Errorf("the longest has %d", counts.MaxTokens())
	}
}
