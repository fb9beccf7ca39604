// Package tokenize turns text into the token ids of encoders, with ids
// identical to those of Hugging Face's `tokenizers`.
//
// The default engines are pure Go and know three families: BertNormalizer,
// BertPreTokenizer and WordPiece, SentencePiece's Unigram with Metaspace (package
// unigram), and byte pair encodings over bytes or with bytes to fall back to (package bpe). A tokenizer.json of another family is refused by name; building with `-tags daulet` puts github.com/daulet/tokenizers, the
// Rust original, behind the same type, and tests compare the two.
//
// spec.go reads tokenizer.json with frame.go for what stands around texts; vocab.go reads vocab.txt
// as the tokenizer.json that it stands for. added.go and token_set.go find added tokens, unigram.go
// and bpe.go put them before models. prune.go leaves out a part of a vocabulary. wordpiece.go is BERT's engine, over
// runes.go (what becomes of a rune; tables.go is generated). arena.go encodes many texts. It
// imports nothing of this module outside of its folder.
package tokenize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Tokenizer encodes texts. It is immutable and safe for concurrent use.
type Tokenizer struct {
	spec   spec
	engine engine
	ids    map[string]int32
	size   int
	json   []byte
	vocab  []byte // vocab.txt as given, nil if it was not
}

// engine encodes one text without the special tokens around it.
type engine interface {
	// encode appends ids of text to dst until at least limit were appended or
	// the text ends; limit < 0 is none. It may append more than limit.
	encode(dst []int32, text string, limit int) []int32
}

// Load reads a tokenizer.json. Its truncation and padding settings are dropped:
// the caller of Encode decides on both. A family that this build cannot encode
// is an *UnsupportedError.
func Load(tokenizerJSON []byte) (*Tokenizer, error) {
	s, err := parseSpec(tokenizerJSON)
	if err != nil {
		return nil, err
	}
	clean, err := withoutLimits(tokenizerJSON)
	if err != nil {
		return nil, err
	}
	e, err := newEngine(s, clean)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{spec: s, engine: e, ids: s.vocab, json: clean}
	for _, id := range s.vocab {
		t.size = max(t.size, int(id)+1)
	}
	for _, a := range s.added {
		if _, ok := t.ids[a.content]; !ok {
			t.ids[a.content] = a.id
		}
		t.size = max(t.size, int(a.id)+1)
	}
	return t, nil
}

// Encode appends [CLS], the ids of text and [SEP] to dst, at most limit ids in
// all; limit <= 0 is none. A text that is too long loses its end. Bytes that
// are not UTF-8 count as U+FFFD, which BERT's clean-up drops.
func (t *Tokenizer) Encode(dst []int32, text string, limit int) []int32 {
	room := -1
	if limit > 0 {
		room = limit - 2
		if room < 0 {
			return append(dst, []int32{t.spec.frame.cls, t.spec.frame.sep}[:limit]...)
		}
	}
	dst = append(dst, t.spec.frame.cls)
	begin := len(dst)
	if room != 0 {
		dst = t.engine.encode(dst, text, room)
	}
	if room >= 0 && len(dst)-begin > room {
		dst = dst[:begin+room]
	}
	return append(dst, t.spec.frame.sep)
}

// EncodePair appends [CLS] a [SEP] b [SEP] to dst and the matching type ids (0
// for the first three, 1 for the rest) to types, or what else the file has for pairs. If they are longer than limit,
// the longer of the two texts is cut first, and both to half when neither fits,
// as `longest_first` does.
func (t *Tokenizer) EncodePair(dst, types []int32, a, b string, limit int) (ids, typeIDs []int32) {
	wanted, room := -1, -1
	middle := t.spec.frame.middle
	if limit > 0 {
		room = max(limit-2-len(middle), 0)
		wanted = room + 1 // one more than fits tells "too long" from "just fits"
	}
	begin := len(dst)
	dst = append(dst, t.spec.frame.cls)
	encode := func(wanted int) (lenA, lenB int) {
		dst = t.engine.encode(dst[:begin+1], a, wanted)
		lenA = len(dst) - begin - 1
		dst = t.engine.encode(dst, b, wanted)
		return lenA, len(dst) - begin - 1 - lenA
	}
	lenA, lenB := encode(wanted)
	if room >= 0 && lenA > room && lenB > room {
		// Which of the two is longer decides who gets an odd token, so the ends
		// that were not encoded count after all. Rare: both texts fill limit alone.
		lenA, lenB = encode(-1)
	}
	keepA, keepB := lenA, lenB
	if room >= 0 {
		keepA, keepB = longestFirst(lenA, lenB, room)
	}
	// The middle [SEP] takes the place of what is cut from a, or shifts b.
	startB := begin + 1 + lenA
	dst = slices.Insert(dst, startB, middle...)
	copy(dst[begin+1+keepA:], dst[startB:startB+len(middle)+keepB])
	dst = append(dst[:begin+1+keepA+len(middle)+keepB], t.spec.frame.sep)
	if limit > 0 && len(dst)-begin > limit {
		dst = dst[:begin+limit]
	}
	for i := range len(dst) - begin {
		if i < 1+keepA+len(middle) {
			types = append(types, 0)
		} else {
			types = append(types, t.spec.frame.second)
		}
	}
	return dst, types
}

// longestFirst gives the lengths that Hugging Face's strategy of that name keeps.
func longestFirst(a, b, room int) (keepA, keepB int) {
	if a+b <= room {
		return a, b
	}
	short := min(a, b)
	long := max(short, room-short)
	if short+long > room {
		short = room / 2
		long = short + room%2
	}
	if a > b {
		return long, short
	}
	return short, long
}

// ID is the id of a token as it stands in the vocabulary ("##ing", "[MASK]").
func (t *Tokenizer) ID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// masks are what vocabularies call a hidden word: BERT's, and XLM-RoBERTa's.
var masks = []string{"[MASK]", "<mask>"}

// Mask is the token of the vocabulary that stands for a hidden word, as a text spells it;
// empty if it has none.
func (t *Tokenizer) Mask() string {
	for _, token := range masks {
		if _, ok := t.ids[token]; ok {
			return token
		}
	}
	return ""
}

// Size is one more than the largest id: the rows that an embedding table needs.
func (t *Tokenizer) Size() int { return t.size }

// JSON is the tokenizer.json without truncation and padding, for releases.
func (t *Tokenizer) JSON() []byte { return bytes.Clone(t.json) }

// Vocab is the vocabulary as vocab.txt: one token a line in the order of ids. An
// id that no token has becomes a line of its own making, so that order is kept.
// It is nil for unigram models and byte pair encodings, which no such file describes.
func (t *Tokenizer) Vocab() []byte {
	if t.vocab != nil {
		return bytes.Clone(t.vocab)
	}
	if t.spec.unigram != nil || t.spec.bpe != nil {
		return nil
	}
	lines := make([]string, t.size)
	for token, id := range t.ids {
		lines[id] = token
	}
	var b bytes.Buffer
	for id, token := range lines {
		if token == "" {
			token = fmt.Sprintf("[no token %d]", id)
		}
		b.WriteString(token)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// Settings is the tokenizer_config.json that transformers needs beside
// tokenizer.json: without it, it makes every BERT tokenizer an uncased one, and that of a
// unigram model one of BERT's. most is the length that texts are cut to on demand. It is nil
// for other families, whose classes only their makers know.
func (t *Tokenizer) Settings(most int) []byte {
	var settings map[string]any
	switch {
	case t.spec.unsupported != nil:
		return nil
	case t.spec.unigram != nil || t.spec.bpe != nil:
		settings = t.specialNames()
		settings["tokenizer_class"], settings["model_max_length"] = "PreTrainedTokenizerFast", most
	default:
		settings = map[string]any{
			"tokenizer_class": "BertTokenizer", "model_max_length": most,
			"do_lower_case": t.spec.lower, "strip_accents": t.spec.strip, "tokenize_chinese_chars": t.spec.cjk,
		}
	}
	text, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return nil // a map of plain values always encodes
	}
	return append(text, '\n')
}

// specialNames are the tokens that a tokenizer_config.json names by their roles.
func (t *Tokenizer) specialNames() map[string]any {
	names := map[string]any{}
	for token, id := range t.ids {
		for role, of := range map[string]int32{"cls_token": t.spec.frame.cls, "sep_token": t.spec.frame.sep, "unk_token": t.spec.unk} {
			if id == of {
				names[role] = token
			}
		}
	}
	for _, token := range []string{"[PAD]", "<pad>"} {
		if _, ok := t.ids[token]; ok {
			names["pad_token"] = token
		}
	}
	if mask := t.Mask(); mask != "" {
		names["mask_token"] = mask
	}
	return names
}

// Parts says of every id whether its token goes on with the word before it
// (WordPiece's ##, or no blank before it where the vocabulary marks blanks), and
// whether it marks a text's parts instead of being one: [CLS], [SEP], [PAD],
// [MASK]. Both slices have Size entries.
func (t *Tokenizer) Parts() (inside, fixed []bool) {
	inside, fixed = make([]bool, t.size), make([]bool, t.size)
	blank := ""
	for _, mark := range []string{"##", "Ġ", "▁"} {
		for token := range t.ids {
			if strings.HasPrefix(token, mark) && token != mark && blank == "" {
				blank = mark
			}
		}
	}
	for token, id := range t.ids {
		if blank != "" {
			inside[id] = strings.HasPrefix(token, blank) == (blank == "##")
		}
	}
	marks := []int32{t.spec.frame.cls, t.spec.frame.sep}
	for _, name := range append([]string{"[PAD]", "<pad>"}, masks...) {
		if id, ok := t.ids[name]; ok {
			marks = append(marks, id)
		}
	}
	for _, id := range marks {
		if int(id) < len(fixed) {
			inside[id], fixed[id] = false, true
		}
	}
	return inside, fixed
}

// UnsupportedError says which part of a tokenizer.json this build cannot follow.
type UnsupportedError struct {
	Part string // normalizer, pre_tokenizer, model, ...
	Got  string // its type in the file
	Want string // what the pure-Go engine follows
}

// Error names the part and the build tag that has the other engine.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("tokenizer.json: %s is %s; the built-in tokenizer follows %s only. Build with `-tags daulet` (ml/tokenize/build-daulet.sh) for every other kind", e.Part, e.Got, e.Want)
}
