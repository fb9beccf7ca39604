package tokenize_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/tokenize"
)

// scripts are ranges of runes of which words are made; the last ones are what the normalisers
// have to do with.
var scripts = map[string][][2]rune{
	"latin":      {{'a', 'z'}, {0xe0, 0xff}, {0x100, 0x17f}},
	"greek":      {{0x370, 0x3ff}, {0x1f00, 0x1fff}},
	"cyrillic":   {{0x400, 0x4ff}},
	"armenian":   {{0x531, 0x587}},
	"hebrew":     {{0x5d0, 0x5ea}, {0x591, 0x5c7}},
	"arabic":     {{0x600, 0x6ff}, {0xfb50, 0xfbff}},
	"devanagari": {{0x900, 0x97f}},
	"bengali":    {{0x980, 0x9fe}},
	"gurmukhi":   {{0xa01, 0xa76}},
	"gujarati":   {{0xa81, 0xaff}},
	"tamil":      {{0xb82, 0xbfa}},
	"telugu":     {{0xc00, 0xc7f}},
	"kannada":    {{0xc80, 0xcf3}},
	"malayalam":  {{0xd00, 0xd7f}},
	"sinhala":    {{0xd81, 0xdf4}},
	"thai":       {{0xe01, 0xe5b}},
	"lao":        {{0xe81, 0xedf}},
	"tibetan":    {{0xf00, 0xfda}},
	"myanmar":    {{0x1000, 0x109f}},
	"georgian":   {{0x10a0, 0x10ff}},
	"ethiopic":   {{0x1200, 0x139f}},
	"khmer":      {{0x1780, 0x17f9}},
	"hangul":     {{0xac00, 0xd7a3}, {0x1100, 0x11ff}},
	"japanese":   {{0x3041, 0x30ff}, {0x4e00, 0x4fff}},
	"han":        {{0x4e00, 0x9fff}},
	"compatible": {{0x2100, 0x214f}, {0x3200, 0x33ff}, {0xf900, 0xfaff}, {0xfe20, 0xffef}, {0x1d400, 0x1d7ff}, {0x2000, 0x206f}},
	"symbols":    {{0x2190, 0x27bf}, {0x1f1e6, 0x1f1ff}, {0x1f300, 0x1f64f}, {0x1f3fb, 0x1f3ff}, {0xa9, 0xae}},
	"marks":      {{0x300, 0x36f}, {'a', 'z'}, {0xc0, 0xff}, {0x200c, 0x200d}},
	"joining":    {{0x915, 0x939}, {0x93c, 0x94d}, {0x200d, 0x200d}, {0x600, 0x605}, {0x8e2, 0x8e2}},
}

// scriptTexts makes texts of the words of a vocabulary and of all scripts.
type scriptTexts struct {
	*mixture
	names  []string
	pieces []string
}

func newScriptTexts(seed uint64, pieces []string) *scriptTexts {
	s := &scriptTexts{mixture: newMixture(seed)}
	s.names = append(s.names, "latin", "greek", "cyrillic", "armenian", "hebrew", "arabic", "devanagari", "bengali", "gurmukhi", "gujarati", "tamil", "telugu", "kannada",
		"malayalam", "sinhala", "thai", "lao", "tibetan", "myanmar", "georgian", "ethiopic", "khmer", "hangul", "japanese", "han", "compatible", "symbols", "marks", "joining")
	for _, piece := range pieces {
		s.pieces = append(s.pieces, strings.ReplaceAll(piece, "▁", " "))
	}
	return s
}

// pieces are those of a unigram model's vocabulary.
func pieces(tb testing.TB, vocab []byte) (pieces []string) {
	tb.Helper()
	var list [][]any
	if err := json.Unmarshal(vocab, &list); err != nil {
		tb.Fatal(err)
	}
	for _, pair := range list {
		piece, _ := pair[0].(string)
		pieces = append(pieces, piece)
	}
	return pieces
}

func (s *scriptTexts) scriptWord(name string) string {
	var b strings.Builder
	ranges := scripts[name]
	for range 1 + s.rng.IntN(8) {
		r := ranges[s.rng.IntN(len(ranges))]
		b.WriteRune(r[0] + rune(s.rng.IntN(int(r[1]-r[0])+1)))
	}
	return b.String()
}

var separators = []string{" ", " ", " ", " ", " ", " ", "", "  ", "   ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2003", "-", ", ", ". ", "▁", " ▁", "\u200b", "\u00ad", "\u2028", "<mask>", " <mask> ", "</s>", "<unk>", "\x00"}

func (s *scriptTexts) next() string {
	var b strings.Builder
	kind, name := s.rng.IntN(12), s.names[s.rng.IntN(len(s.names))]
	if kind < 2 {
		return s.mixture.next()
	}
	for i := range 1 + s.rng.IntN(18) {
		if i > 0 || s.rng.IntN(20) == 0 {
			if kind < 7 && s.rng.IntN(12) > 0 {
				b.WriteByte(' ')
			} else {
				b.WriteString(separators[s.rng.IntN(len(separators))])
			}
		}
		switch s.rng.IntN(8) {
		case 0, 1, 2:
			b.WriteString(s.pieces[s.rng.IntN(len(s.pieces))])
		case 3:
			b.WriteString(strings.TrimSpace(s.pieces[s.rng.IntN(min(20_000, len(s.pieces)))]))
		case 4:
			b.WriteString(s.scriptWord(s.names[s.rng.IntN(len(s.names))]))
		case 5:
			b.WriteString(oddities[s.rng.IntN(len(oddities))])
		default:
			b.WriteString(s.scriptWord(name))
		}
	}
	return b.String()
}

// unigramFile is the tokenizer.json that $TOKENIZER_UNIGRAM names: of XLM-RoBERTa's family.
func unigramFile(tb testing.TB) []byte {
	tb.Helper()
	path := os.Getenv("TOKENIZER_UNIGRAM")
	if path == "" {
		tb.Skip("TOKENIZER_UNIGRAM names no tokenizer.json")
	}
	return read(tb, path)
}

// variants are what else a file of the family may say.
func variants(tb testing.TB, data []byte) (files map[string][]byte, vocab []byte) {
	tb.Helper()
	all, model := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	var normalizer struct {
		Type        string            `json:"type"`
		Normalizers []json.RawMessage `json:"normalizers"`
	}
	decode := func(raw []byte, to any) {
		if err := json.Unmarshal(raw, to); err != nil {
			tb.Fatal(err)
		}
	}
	decode(data, &all)
	decode(all["model"], &model)
	decode(all["normalizer"], &normalizer)
	charsmap := string(all["normalizer"])
	if normalizer.Type == "Sequence" {
		charsmap = string(normalizer.Normalizers[0])
	}
	files = map[string][]byte{"as it is": data}
	var list []json.RawMessage
	decode(model["vocab"], &list)
	var few [][]byte
	for i := range list {
		if i < 6000 || i > len(list)-200 {
			few = append(few, list[i])
		}
	}
	for b := range 256 {
		few = append(few, fmt.Appendf(nil, `["<0x%02X>",-20]`, b))
	}
	small := func(fallback bool) string {
		return fmt.Sprintf(`{"type":"Unigram","unk_id":3,"byte_fallback":%v,"vocab":[%s]}`, fallback, bytes.Join(few, []byte(",")))
	}
	for name, v := range map[string]struct{ normalizer, pre, model string }{
		"xlm-roberta": {charsmap, `{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","add_prefix_space":true}]}`, small(false)},
		"nfkc whole":  {`{"type":"NFKC"}`, `{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}`, small(true)},
		"nfkd never":  {`{"type":"Sequence","normalizers":[{"type":"NFKD"},{"type":"Replace","pattern":{"String":"s"},"content":" t"}]}`, `{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true}`, small(true)},
		"nfc first": {`{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Strip","strip_left":true,"strip_right":true},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}]}`,
			`{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}`, small(false)},
		"first": {charsmap, `{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}`, small(false)},
		"of transformers 5": {`{"type":"Sequence","normalizers":[` + charsmap + `,{"type":"Strip","strip_left":false,"strip_right":true},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}]}`,
			`{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}`, small(false)},
	} {
		all["normalizer"], all["pre_tokenizer"], all["model"] = json.RawMessage(v.normalizer), json.RawMessage(v.pre), json.RawMessage(v.model)
		all["added_tokens"] = json.RawMessage(`[{"id":0,"content":"<s>","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false},` +
			`{"id":2,"content":"</s>","special":true,"single_word":false,"lstrip":false,"rstrip":true,"normalized":false},{"id":3,"content":"<unk>","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false},` +
			fmt.Sprintf(`{"id":%d,"content":"<mask>","special":true,"single_word":false,"lstrip":true,"rstrip":false,"normalized":false}]`, 6000+198))
		out, err := json.Marshal(all)
		if err != nil {
			tb.Fatal(err)
		}
		files[name] = out
	}
	return files, model["vocab"]
}

// TestUnigramParity is TestParity for the tokenizer.json that $TOKENIZER_UNIGRAM names, and for
// what else its family has: `just tokenizer-parity PYTHON MB FILE`.
func TestUnigramParity(t *testing.T) {
	python := os.Getenv("TOKENIZER_PARITY")
	if python == "" {
		t.Skip("TOKENIZER_PARITY names no Python")
	}
	files, vocab := variants(t, unigramFile(t))
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokenizer.json")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			tok, err := tokenize.Load(data)
			if err != nil {
				t.Fatal(err)
			}
			size := parityMB(t)
			if name != "as it is" {
				size = (size + 9) / 10
			}
			compare(t, startPeerOf(t, python, []string{path}), []*tokenize.Tokenizer{tok}, size, newScriptTexts(rand.Uint64(), pieces(t, vocab)).next) //nolint:gosec // any texts will do
		})
	}
}

// BenchmarkUnigram is BenchmarkEncode for the tokenizer.json that $TOKENIZER_UNIGRAM names.
func BenchmarkUnigram(b *testing.B) {
	data := unigramFile(b)
	tok, err := tokenize.Load(data)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		texts []string
		max   int
	}{{"Short", headlines(20_000), 128}, {"Long", articles(500), 0}} {
		b.Run(c.name, func(b *testing.B) {
			var p *peer
			if py := python(); py != "" {
				p = startPeerOf(b, py, []string{os.Getenv("TOKENIZER_UNIGRAM")}, "TOKENIZERS_PARALLELISM=false", "RAYON_NUM_THREADS=1")
				p.ask(b, map[string]any{"texts": c.texts})
			}
			benchmark(b, tok, p, c.texts, c.max)
		})
	}
}

// benchmark encodes texts in turns with the peer, if there is one.
func benchmark(b *testing.B, tok *tokenize.Tokenizer, p *peer, given []string, limit int) {
	texts := single(given)
	var ours, theirs, fast []float64
	var a *tokenize.Arena
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		a = tok.EncodeAll(texts, limit, 1)
		ours = append(ours, time.Since(began).Seconds())
	}
	b.ReportMetric(float64(a.Tokens())/float64(a.Len()), "tokens/text")
	if p != nil {
		ours = nil
		for range 7 {
			began := time.Now()
			a = tok.EncodeAll(texts, limit, 1)
			ours = append(ours, time.Since(began).Seconds())
			r := p.ask(b, map[string]any{"encode": 0, "max": limit, "fast": true})
			theirs, fast = append(theirs, r.Seconds), append(fast, r.Fast)
			if r.Digest != digest(a) {
				b.Fatal("the ids differ")
			}
		}
		b.ReportMetric(float64(len(texts))/median(theirs), "peer-texts/s")
		b.ReportMetric(median(theirs)/median(ours), "x-encode_batch")
		b.ReportMetric(median(fast)/median(ours), "x-encode_batch_fast")
	}
	b.ReportMetric(float64(len(texts))/median(ours), "texts/s")
}
