package tokenize_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/tokenize"
)

// bpeFile is the tokenizer.json that $TOKENIZER_BPE names: a byte pair encoding, whatever stands
// around its texts. It is given BERT's frame of its first added token, and its tokens by id.
func bpeFile(tb testing.TB) (path string, tok *tokenize.Tokenizer, pieces []string) {
	tb.Helper()
	if path = os.Getenv("TOKENIZER_BPE"); path == "" {
		tb.Skip("TOKENIZER_BPE names no tokenizer.json")
	}
	all := map[string]json.RawMessage{}
	var added []struct {
		ID      int
		Content string
	}
	var model struct{ Vocab map[string]int }
	decode := func(raw []byte, to any) {
		if err := json.Unmarshal(raw, to); err != nil {
			tb.Fatal(err)
		}
	}
	decode(read(tb, path), &all)
	decode(all["added_tokens"], &added)
	decode(all["model"], &model)
	frame := []any{added[0].Content, added[0].ID}
	post, err := json.Marshal(map[string]any{"type": "BertProcessing", "cls": frame, "sep": frame})
	if err != nil {
		tb.Fatal(err)
	}
	all["post_processor"] = post
	data, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	path = filepath.Join(tb.TempDir(), "tokenizer.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	if tok, err = tokenize.Load(data); err != nil {
		tb.Fatal(err)
	}
	for token := range model.Vocab {
		pieces = append(pieces, plain(token))
	}
	slices.Sort(pieces) // the first ones are short
	for _, a := range added {
		pieces = append(pieces, a.Content)
	}
	return path, tok, pieces
}

// plain is the text of a token over bytes, as far as it is one.
func plain(token string) string {
	var b []byte
	for _, r := range token {
		switch {
		case r >= 256 && r <= 256+' ':
			b = append(b, byte(r-256)) //nolint:gosec // below 33
		case r > ' ' && r < 0x7f || r > 0xa0 && r < 0x100:
			b = append(b, byte(r))
		default:
			return token
		}
	}
	return string(b)
}

// TestBPEParity is TestParity for the tokenizer.json that $TOKENIZER_BPE names:
// `just tokenizer-parity PYTHON MB "" FILE`.
func TestBPEParity(t *testing.T) {
	python := os.Getenv("TOKENIZER_PARITY")
	if python == "" {
		t.Skip("TOKENIZER_PARITY names no Python")
	}
	path, tok, pieces := bpeFile(t)
	valid := newScriptTexts(rand.Uint64(), pieces) //nolint:gosec // any texts will do
	compare(t, startPeerOf(t, python, []string{path}), []*tokenize.Tokenizer{tok}, parityMB(t), func() string {
		return string([]rune(valid.next())) // what is not UTF-8 cannot be sent
	})
}

// BenchmarkBPE is BenchmarkEncode for the tokenizer.json that $TOKENIZER_BPE names.
func BenchmarkBPE(b *testing.B) {
	path, tok, _ := bpeFile(b)
	for _, c := range []struct {
		name  string
		texts []string
		max   int
	}{{"Short", headlines(20_000), 128}, {"Long", articles(500), 0}} {
		b.Run(c.name, func(b *testing.B) {
			var p *peer
			if py := python(); py != "" {
				p = startPeerOf(b, py, []string{path}, "TOKENIZERS_PARALLELISM=false", "RAYON_NUM_THREADS=1")
				p.ask(b, map[string]any{"texts": c.texts})
			}
			benchmark(b, tok, p, c.texts, c.max)
		})
	}
}
