package unigram

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// kinds are the models of testdata/unigram.json, and its texts.
func kinds(t *testing.T) (models map[string]*Model, texts []string) {
	t.Helper()
	data, err := os.ReadFile("../testdata/unigram.json")
	if err != nil {
		t.Fatal(err)
	}
	var u struct {
		Texts []string
		Kinds map[string]struct {
			Tokenizer struct {
				Normalizer   json.RawMessage `json:"normalizer"`
				PreTokenizer json.RawMessage `json:"pre_tokenizer"`
				Model        json.RawMessage `json:"model"`
			}
		}
		Charsmap string
		Vocab    json.RawMessage
	}
	if err := json.Unmarshal(data, &u); err != nil {
		t.Fatal(err)
	}
	models = map[string]*Model{}
	fill := strings.NewReplacer(`"$VOCAB"`, string(u.Vocab), `"$FALLBACK"`, string(u.Vocab), "$CHARSMAP", u.Charsmap)
	for name, k := range u.Kinds {
		part := func(raw json.RawMessage) json.RawMessage { return json.RawMessage(fill.Replace(string(raw))) }
		if models[name], _, err = New(Parts{part(k.Tokenizer.Normalizer), part(k.Tokenizer.PreTokenizer), part(k.Tokenizer.Model)}); err != nil {
			t.Fatal(err)
		}
	}
	return models, u.Texts
}

// TestWordByWordIsByTheBook: encoding what stands between blanks gives what the whole text gives.
func TestWordByWordIsByTheBook(t *testing.T) {
	models, texts := kinds(t)
	quick := 0
	for name, m := range models {
		if !m.wordwise {
			continue
		}
		quick++
		same := func(tb rapid.TB, text string) {
			slow := &scratch{}
			got, want := m.Append(nil, text, true, -1), m.appendText(nil, text, true, -1, slow)
			if !slices.Equal(got, want) {
				tb.Fatalf("%s %+q:\n word by word %v\n by the book  %v", name, text, got, want)
			}
		}
		for _, text := range texts {
			if text != "" {
				same(t, text)
			}
		}
		part := rapid.OneOf(rapid.SampledFrom(texts), rapid.SampledFrom([]string{" ", " ", "  ", "▁", "\u0301", "\u0302", "\u0600", "\u00a0", "\u200b", "brand", "\r", "\n", "ﬁ", "e\u0301", "\u200d", "\u00ad"}), rapid.StringN(1, 6, -1))
		rapid.Check(t, func(rt *rapid.T) {
			if text := strings.Join(rapid.SliceOfN(part, 1, 12).Draw(rt, "parts"), ""); utf8.ValidString(text) {
				same(rt, text)
			}
		})
	}
	if quick < 3 {
		t.Errorf("only %d kinds are encoded word by word", quick)
	}
}
