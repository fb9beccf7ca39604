package tokenize_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/fuzztest"
	"github.com/sprint-ml/sprint/ml/tokenize"
)

// unigrams is testdata/unigram.json: what Hugging Face's tokenizers makes of texts, with a few
// tokenizers of XLM-RoBERTa's family; see golden_unigram.py.
type unigrams struct {
	golden
	Charsmap        string
	Vocab, Fallback []json.RawMessage
}

func readUnigrams(tb testing.TB) *unigrams {
	tb.Helper()
	u := &unigrams{}
	if err := json.Unmarshal(read(tb, "testdata/unigram.json"), u); err != nil {
		tb.Fatal(err)
	}
	return u
}

// file is the tokenizer.json of a kind.
func (u *unigrams) file(kind string) string {
	list := func(parts []json.RawMessage) string {
		var b strings.Builder
		for i, p := range parts {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(p)
		}
		return "[" + b.String() + "]"
	}
	return strings.NewReplacer(`"$VOCAB"`, list(u.Vocab), `"$FALLBACK"`, list(slices.Concat(u.Vocab, u.Fallback)), "$CHARSMAP", u.Charsmap).Replace(string(u.Kinds[kind].Tokenizer))
}

func (u *unigrams) load(tb testing.TB, kind string) *tokenize.Tokenizer {
	tb.Helper()
	t, err := tokenize.Load([]byte(u.file(kind)))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func TestUnigramHasTheIDsOfHuggingFace(t *testing.T) {
	if *update {
		regenerate(t)
	}
	u := readUnigrams(t)
	if len(u.Texts) < 250 || len(u.Kinds) < 6 || len(u.Pairs) < 100 {
		t.Fatalf("%d texts, %d kinds, %d pairs", len(u.Texts), len(u.Kinds), len(u.Pairs))
	}
	u.checkIDs(t, func(kind string) *tokenize.Tokenizer { return u.load(t, kind) }, "e5")
}

func TestUnigramTruncationIsAPrefix(t *testing.T) {
	u := readUnigrams(t)
	for _, kind := range []string{"xlm-roberta", "e5", "whole"} {
		u.checkTruncation(t, kind, u.load(t, kind))
	}
}

func TestUnigramInvalidUTF8IsReplaced(t *testing.T) {
	tok := readUnigrams(t).load(t, "e5")
	if got, want := tok.Encode(nil, "brand \xff\xfe polis\xe6", 0), tok.Encode(nil, "brand \ufffd polis\ufffd", 0); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A tokenizer of this family says what transformers needs to load it, and has no vocab.txt.
func TestUnigramFiles(t *testing.T) {
	tok := readUnigrams(t).load(t, "e5")
	checkFiles(t, tok, map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>", "model_max_length": 64.},
		map[string][2]bool{"▁brand": {false, false}, "brand": {true, false}, "<s>": {false, true}, "</s>": {false, true}, "<mask>": {false, true}})
}

func TestUnigramRefusals(t *testing.T) {
	u := readUnigrams(t)
	good := u.file("e5")
	// Tables in which the root leads by "a" to one unit, which is as given; its place is 1^'a'.
	table := func(unit uint32, others map[uint32]uint32) string {
		units := make([]uint32, 256)
		units[0], units[1^'a'] = 1<<10, 'a'|unit
		for at, u := range others {
			units[at] = u
		}
		data := binary.LittleEndian.AppendUint32(nil, 4*256)
		for _, u := range units {
			data = binary.LittleEndian.AppendUint32(data, u)
		}
		return base64.StdEncoding.EncodeToString(append(data, "x\x00"...))
	}
	circle := table('a'<<10, nil) // its own child by "a"
	noText := table(1<<8|2<<10, map[uint32]uint32{1 ^ 'a' ^ 2: 1<<31 | 1000})
	first := string(u.Vocab[5])
	const charsmap = "precompiled_charsmap"
	unsupported := map[string]bool{}
	for name, c := range map[string]struct{ old, new, want string }{
		"no scores":            {first, `["no score"]`, `model.vocab: element 5 has no score`},
		"plain words":          {first, `"word"`, `model.vocab: element 5 is not [piece, score]`},
		"a score of text":      {first, `["x","y"]`, `has no score that is a number`},
		"an endless score":     {first, `["x",1e999]`, `has no score that is a number`},
		"a map":                {`"vocab":[`, `"vocab":{"a":1},"x":[`, `is not a list of [piece, score]`},
		"an empty vocabulary":  {`"vocab":[`, `"vocab":[],"x":[`, `is empty`},
		"a long piece":         {first, `["` + strings.Repeat("a", 2000) + `",-1]`, `has 2000 bytes`},
		"unknown out of range": {`"unk_id":3`, `"unk_id":100000`, `unk_id is 100000`},
		"no unknown":           {`"unk_id":3`, `"unk_id":null`, `unk_id is missing`},
		"an added id":          {`"content":"<pad>"`, `"content":"</s>"`, `added token "</s>" has id 1, in the vocabulary it has 2`},
		"a large id":           {`"id":1,"content":"<pad>"`, `"id":600000,"content":"<x>"`, `has id 600000`},
		"a normaliser":         {`"type":"Replace"`, `"type":"Lowercase"`, `-tags daulet`},
		"a pattern":            {`" {2,}"`, `"\\s+"`, `-tags daulet`},
		"a pre-tokenizer":      {`"type":"Metaspace"`, `"type":"ByteLevel"`, `-tags daulet`},
		"a scheme":             {`"add_prefix_space":true`, `"prepend_scheme":"twice"`, `-tags daulet`},
		"schemes that differ":  {`"add_prefix_space":true`, `"add_prefix_space":false,"prepend_scheme":"always"`, `add_prefix_space is false`},
		"two marks":            {`"replacement":"` + `\u2581"`, `"replacement":"ab"`, `not one character`},
		"no table":             {`"` + u.Charsmap + `"`, `null`, `without a precompiled_charsmap`},
		"an empty table":       {u.Charsmap, ``, `holds no table`},
		"no base64":            {u.Charsmap, `%%%`, charsmap},
		"a table cut short":    {u.Charsmap, u.Charsmap[:400], charsmap},
		"a huge table":         {u.Charsmap, strings.Repeat("AAAA", 3<<20), `more than 8388608`},
		"a circle":             {u.Charsmap, circle, `leads back to itself`},
		"no replacement":       {u.Charsmap, noText, `has no replacement`},
		"nested sequences":     {`"normalizer":{`, `"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 20) + `{"type":"NFC"}` + strings.Repeat(`]}`, 20) + `,"y":{`, `nested deeper`},
		"a pattern of pairs":   {`"pair":[`, `"pair":[{"Sequence":{"id":"A","type_id":0}},`, `the pattern of pairs`},
	} {
		data := strings.Replace(good, c.old, c.new, 1)
		if data == good {
			t.Fatalf("%s: nothing replaced", name)
		}
		var err error
		fuzztest.Bounded(t, func() { _, err = tokenize.Load([]byte(data)) })
		if engine == "daulet" && c.want == "-tags daulet" {
			continue // that engine follows the other kinds; what it cannot read is its own error
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

// TestHostileVocabularies: pieces that share nothing, or all, cost little more than their bytes.
func TestHostileVocabularies(t *testing.T) {
	u := readUnigrams(t)
	good := u.file("e5")
	at := strings.Index(good, string(u.Vocab[5]))
	for name, piece := range map[string]func(i int) string{
		"numbers":  func(i int) string { return fmt.Sprint(i * 7919) },
		"runes":    func(i int) string { return string(rune(0x10000+i*5)) + string(rune(0x20+i%90)) },
		"prefixes": func(i int) string { return strings.Repeat("ab", i%500) + fmt.Sprint(i) },
	} {
		var b strings.Builder
		b.WriteString(good[:at])
		for i := range 30_000 {
			p, err := json.Marshal(piece(i))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "[%s,-%d],", p, 3+i%20)
		}
		b.WriteString(good[at:])
		data := strings.Replace(b.String(), fmt.Sprintf(`"id":%d`, len(u.Vocab)), fmt.Sprintf(`"id":%d`, len(u.Vocab)+30_000), 1)
		fuzztest.Bounded(t, func() {
			tok, err := tokenize.Load([]byte(data))
			if err != nil {
				t.Errorf("%s: %.200v", name, err)
				return
			}
			if tok.Encode(nil, strings.Repeat("ab7919", 2000), 0); tok.Size() < 30_000 {
				t.Errorf("%s: %d ids", name, tok.Size())
			}
		})
	}
}

func FuzzLoadUnigram(f *testing.F) {
	u := readUnigrams(f)
	u.Vocab, u.Fallback = u.Vocab[:12], u.Fallback[:3]
	for kind := range u.Kinds {
		f.Add([]byte(strings.ReplaceAll(u.file(kind), `"id":`+fmt.Sprint(519), `"id":12`)))
	}
	f.Add([]byte(`{"added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"Metaspace","replacement":"_"},"post_processor":{"type":"RobertaProcessing","sep":["b",1],"cls":["a",0]},` +
		`"model":{"type":"Unigram","unk_id":0,"vocab":[["a",1],["b",0],["_",-1.5e0],["\u0041\n",-2]]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzztest.Bounded(t, func() {
			tok, err := tokenize.Load(data)
			if err != nil {
				return
			}
			for _, id := range tok.Encode(nil, "brand  i e\u0301 <mask>\u00a0新聞 _a", 0) {
				if id < 0 || int(id) >= tok.Size() {
					t.Errorf("id %d of %d", id, tok.Size())
				}
			}
		})
	})
}
