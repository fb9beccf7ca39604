package tokenize_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/fuzztest"
	"github.com/sprint-ml/sprint/ml/tokenize"
)

// encodings is testdata/bpe.json: what Hugging Face's tokenizers makes of texts, with a few byte
// pair encodings; see golden_bpe.py.
type encodings struct {
	golden
}

func readEncodings(tb testing.TB) *encodings {
	tb.Helper()
	e := &encodings{}
	if err := json.Unmarshal(read(tb, "testdata/bpe.json"), e); err != nil {
		tb.Fatal(err)
	}
	return e
}

func (e *encodings) load(tb testing.TB, kind string) *tokenize.Tokenizer {
	tb.Helper()
	t, err := tokenize.Load(e.Kinds[kind].Tokenizer)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func TestBPEHasTheIDsOfHuggingFace(t *testing.T) {
	if *update {
		regenerate(t)
	}
	e := readEncodings(t)
	if len(e.Texts) < 180 || len(e.Kinds) < 10 || len(e.Pairs) < 30 {
		t.Fatalf("%d texts, %d kinds, %d pairs", len(e.Texts), len(e.Kinds), len(e.Pairs))
	}
	e.checkIDs(t, func(kind string) *tokenize.Tokenizer { return e.load(t, kind) }, "modernbert")
}

func TestBPETruncationIsAPrefix(t *testing.T) {
	e := readEncodings(t)
	for name := range e.Kinds {
		e.checkTruncation(t, name, e.load(t, name))
	}
}

// A tokenizer of this family says what transformers needs to load it, and has no vocab.txt.
func TestBPEFiles(t *testing.T) {
	tok := readEncodings(t).load(t, "modernbert")
	checkFiles(t, tok, map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]", "model_max_length": 64.},
		map[string][2]bool{"Ġbrand": {false, false}, "and": {true, false}, "[CLS]": {false, true}, "[MASK]": {false, true}})
	if got, want := tok.Encode(nil, "brand \xff\xfe polis\xe6", 0), tok.Encode(nil, "brand \ufffd polis\ufffd", 0); !slices.Equal(got, want) {
		t.Errorf("invalid UTF-8: %v, want %v", got, want)
	}
}

// TestBPESequence: a post-processor that only moves offsets may stand before the one that frames.
func TestBPESequence(t *testing.T) {
	data := withPostProcessor(t, string(readEncodings(t).Kinds["modernbert"].Tokenizer), `{"type":"Sequence","processors":[{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false},{"type":"BertProcessing","cls":["[CLS]",1],"sep":["[SEP]",2]}]}`)
	if _, err := tokenize.Load(data); err != nil {
		t.Error(err)
	}
}

func TestBPERefusals(t *testing.T) {
	e := readEncodings(t)
	unsupported := map[string]bool{}
	const daulet = "-tags daulet"
	for name, c := range map[string]struct{ kind, old, new, want string }{
		"a large id":             {"modernbert", `"[UNK]":0,`, `"[UNK]":0,"x":600000,`, `token "x" has no id from 0`},
		"a broken id":            {"modernbert", `"[UNK]":0,`, `"[UNK]":0,"x":1.5,`, `token "x" has no id from 0`},
		"an id of text":          {"modernbert", `"[UNK]":0,`, `"[UNK]":"0",`, `token "[UNK]" has no id`},
		"a list of tokens":       {"modernbert", `"vocab":{`, `"vocab":[],"x":{`, `is not a map of tokens`},
		"an empty vocabulary":    {"modernbert", `"vocab":{`, `"vocab":{},"x":{`, `is empty`},
		"no merges":              {"modernbert", `"merges":[`, `"x":[`, `is not a list of pairs`},
		"a merge of three":       {"modernbert", `"merges":[`, `"merges":["a b c",`, `element 0 is neither`},
		"a merge of one":         {"mmbert", `"merges":[`, `"merges":[["a"],`, `element 0 is neither`},
		"an unknown merge":       {"mmbert", `"merges":[`, `"merges":[["a","Q"],`, `"Q" is not in the vocabulary`},
		"an unknown unknown":     {"gemma", `"unk_token":"<unk>"`, `"unk_token":"<what>"`, `the unknown token "<what>"`},
		"an added id":            {"modernbert", `{"id":1,"content":"[CLS]"`, `{"id":2,"content":"[CLS]"`, `added token "[CLS]" has id 2, in the vocabulary it has 1`},
		"a sequence of two":      {"modernbert", `"post_processor":{`, `"post_processor":{"type":"Sequence","processors":[{"type":"BertProcessing"},{"type":"BertProcessing"}]},"x":{`, `a Sequence with 2 processors`},
		"sequences of frames":    {"modernbert", `"post_processor":{`, `"post_processor":{"type":"Sequence","processors":[{"type":"Sequence","processors":[]}]},"x":{`, `a Sequence in a Sequence`},
		"the same added token":   {"gemma", `"content":"   "`, `"content":" ▁ "`, ``},
		"two equal added tokens": {"gemma", `"content":"   "`, `"content":"▁ "`, `are the same text`},
		"a long added token":     {"gemma", `"content":"|||IP|||"`, `"content":"` + strings.Repeat("a", 2000) + `"`, `has 2000 bytes`},
		"dropout":                {"gemma", `"dropout":null`, `"dropout":0.1`, daulet},
		"a prefix":               {"gemma", `"continuing_subword_prefix":null`, `"continuing_subword_prefix":"##"`, daulet},
		"a suffix":               {"gemma", `"end_of_word_suffix":null`, `"end_of_word_suffix":"</w>"`, daulet},
		"bytes of bytes":         {"modernbert", `"byte_fallback":false`, `"byte_fallback":true`, daulet},
		"a normaliser":           {"modernbert", `"type":"NFC"`, `"type":"Lowercase"`, daulet},
		"a pre-tokenizer":        {"modernbert", `"type":"ByteLevel"`, `"type":"Digits"`, daulet},
		"a pattern":              {"llama3", `\\p{N}{1,3}`, `\\p{N}{1,4}`, daulet},
		"a behaviour":            {"llama3", `"Isolated"`, `"Removed"`, daulet},
		"cut twice":              {"llama3", `"use_regex":false`, `"use_regex":true`, daulet},
		"a split alone":          {"mmbert", `"MergedWithPrevious"`, `"MergedWithNext"`, daulet},
		"sequences in sequences": {"llama3", `"pretokenizers":[`, `"pretokenizers":[{"type":"Sequence","pretokenizers":[]},`, daulet},
		"no object":              {"llama3", `"pre_tokenizer":{`, `"pre_tokenizer":[],"x":{`, `pre_tokenizer`},
	} {
		good := string(e.Kinds[c.kind].Tokenizer)
		data := strings.Replace(good, c.old, c.new, 1)
		if data == good {
			t.Fatalf("%s: nothing replaced", name)
		}
		var err error
		fuzztest.Bounded(t, func() { _, err = tokenize.Load([]byte(data)) })
		if engine == "daulet" && (c.want == daulet || strings.Contains(name, "added token")) {
			continue // that engine follows the other kinds and added tokens of any length; what it cannot read is its own error
		}
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %.300v", name, err)
		}
		var other *tokenize.UnsupportedError
		unsupported[name] = errors.As(err, &other)
	}
	if engine != "daulet" && !unsupported["a normaliser"] {
		t.Error("an unknown normaliser is no UnsupportedError")
	}
}

// TestBPELongWords: a word of a hundred thousand characters costs little more than its bytes, whatever
// merges, and gives what short ones give.
func TestBPELongWords(t *testing.T) {
	e := readEncodings(t)
	for _, kind := range []string{"modernbert", "gemma", "across", "whole"} {
		tok := e.load(t, kind)
		for _, text := range []string{strings.Repeat("brand", 30_000), strings.Repeat("a", 1<<17), strings.Repeat(" ", 1<<17), strings.Repeat("γ", 1<<16), strings.Repeat("\n ", 1<<16), strings.Repeat("|||I", 1<<15)} {
			fuzztest.Bounded(t, func() {
				if ids := tok.Encode(nil, text, 0); len(ids) > len(text)+2 || len(ids) < 3 {
					t.Errorf("%s: %d ids", kind, len(ids))
				}
			})
		}
	}
}

func FuzzLoadBPE(f *testing.F) {
	e := readEncodings(f)
	for kind := range e.Kinds {
		f.Add([]byte(e.Kinds[kind].Tokenizer), "brand  i e\u0301 <mask>\u00a0新聞 'LL 12345\n\n")
	}
	f.Add([]byte(`{"added_tokens":[{"id":2,"content":"x","normalized":true}],"post_processor":{"type":"RobertaProcessing","sep":["b",1],"cls":["a",0]},`+
		`"model":{"type":"BPE","unk_token":"a","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`), "abc x")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		fuzztest.Bounded(t, func() {
			tok, err := tokenize.Load(data)
			if err != nil {
				return
			}
			for _, id := range tok.Encode(nil, text, 0) {
				if id < 0 || int(id) >= tok.Size() {
					t.Errorf("id %d of %d", id, tok.Size())
				}
			}
		})
	})
}

// TestMaskIsOneToken: what a vocabulary calls a hidden word is one token where it stands in a
// text.
func TestMaskIsOneToken(t *testing.T) {
	for want, tok := range map[string]*tokenize.Tokenizer{"<mask>": readEncodings(t).load(t, "roberta"), "[MASK]": readEncodings(t).load(t, "modernbert")} {
		id, ok := tok.ID(want)
		ids := tok.Encode(nil, "brand "+tok.Mask()+" polis", 0)
		if n := slices.Index(ids, id); !ok || tok.Mask() != want || n < 0 || slices.Index(ids[n+1:], id) >= 0 {
			t.Errorf("%q, want %q: %v", tok.Mask(), want, ids)
		}
	}
}
