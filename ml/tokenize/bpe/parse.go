package bpe

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/tokenize/normalize"
	"github.com/sprint-ml/sprint/ml/tokenize/tokenizerjson"
)

// Parts are those of a tokenizer.json that this package reads, as they stand there.
type Parts struct{ Normalizer, PreTokenizer, Model json.RawMessage }

// knownPreTokenizers are what the engine follows, for messages.
const knownPreTokenizers = "none, ByteLevel, Split of a known pattern before ByteLevel, and Split behind blanks"

// Caps of a model. The largest known vocabulary has 262,144 tokens and 580,604 merges.
const (
	maxID     = 1 << 19
	maxMerges = 1 << 20
)

// New makes a model of the parts of a file whose model is BPE, and gives its vocabulary. A part of
// another kind is a *tokenizerjson.UnsupportedError.
func New(p Parts) (m *Model, vocab map[string]int32, err error) {
	m = &Model{unknown: none}
	m.scratch.New = func() any { return &scratch{} }
	if m.steps, err = normalize.Parse(p.Normalizer); err != nil {
		return nil, nil, err
	}
	if err := m.parsePreTokenizer(p.PreTokenizer); err != nil {
		return nil, nil, err
	}
	vocab, err = m.parseModel(p.Model)
	return m, vocab, err
}

// preTokenizer is any that is followed.
type preTokenizer struct {
	tokenizerjson.Typed
	PreTokenizers []json.RawMessage `json:"pretokenizers"`
	Prefix        bool              `json:"add_prefix_space"`
	UseRegex      *bool             `json:"use_regex"`
	Behavior      string            `json:"behavior"`
	Invert        bool              `json:"invert"`
	Pattern       struct {
		String, Regex *string
	} `json:"pattern"`
}

func (m *Model) parsePreTokenizer(raw json.RawMessage) error {
	if tokenizerjson.Null(raw) {
		return nil
	}
	var p preTokenizer
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("tokenizer.json: pre_tokenizer: %w", err)
	}
	switch {
	case p.Type == "ByteLevel":
		m.byteLevel(p)
		return nil
	case p.Type == "Split" && p.Pattern.String != nil && *p.Pattern.String == " " && p.Behavior == "MergedWithPrevious" && !p.Invert:
		m.afterBlank = true
		return nil
	case p.Type == "Split":
		return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: "Split without ByteLevel behind it", Want: knownPreTokenizers}
	case p.Type != "Sequence":
		return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: p.Name(), Want: knownPreTokenizers}
	case len(p.PreTokenizers) == 1:
		var only tokenizerjson.Typed
		if json.Unmarshal(p.PreTokenizers[0], &only) == nil && only.Type != "Sequence" {
			return m.parsePreTokenizer(p.PreTokenizers[0])
		}
	case len(p.PreTokenizers) == 2:
		return m.parseSplit(p.PreTokenizers[0], p.PreTokenizers[1])
	}
	return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: fmt.Sprintf("a sequence of %d", len(p.PreTokenizers)), Want: knownPreTokenizers}
}

// byteLevel takes over a ByteLevel.
func (m *Model) byteLevel(p preTokenizer) {
	m.bytewise, m.prefix = true, p.Prefix
	if p.UseRegex == nil || *p.UseRegex {
		m.cutBy(gpt2)
	}
}

func (m *Model) cutBy(regex string) bool {
	p, ok := patterns()[regex]
	if ok {
		p.classes = newClasses()
		m.split = &p
	}
	return ok
}

// parseSplit reads a Split by a pattern and the ByteLevel behind it, which must neither cut again
// nor put blanks before words.
func (m *Model) parseSplit(first, second json.RawMessage) error {
	var split, level preTokenizer
	if err := errors.Join(json.Unmarshal(first, &split), json.Unmarshal(second, &level)); err != nil {
		return fmt.Errorf("tokenizer.json: pre_tokenizer: %w", err)
	}
	got := ""
	switch {
	case split.Type != "Split" || level.Type != "ByteLevel":
		got = fmt.Sprintf("a sequence of %s and %s", split.Name(), level.Name())
	// The patterns leave nothing out, so that removing what they do not match changes nothing.
	case (split.Behavior != "Isolated" || split.Invert) && (split.Behavior != "Removed" || !split.Invert):
		got = fmt.Sprintf("Split with the behavior %q, invert %v", split.Behavior, split.Invert)
	case level.Prefix || level.UseRegex == nil || *level.UseRegex:
		got = "ByteLevel that cuts words again, or puts blanks before them, behind Split"
	case split.Pattern.Regex == nil || !m.cutBy(*split.Pattern.Regex):
		text, _ := json.Marshal(split.Pattern) //nolint:errchkjson // two texts
		got = "Split of the pattern " + string(text)
	}
	if got != "" {
		return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: got, Want: knownPreTokenizers}
	}
	m.bytewise = true
	return nil
}

// document is the model as it stands in the file.
type document struct {
	Dropout  float64         `json:"dropout"`
	Unknown  *string         `json:"unk_token"`
	Prefix   string          `json:"continuing_subword_prefix"`
	Suffix   string          `json:"end_of_word_suffix"`
	Fuse     bool            `json:"fuse_unk"`
	Fallback bool            `json:"byte_fallback"`
	Ignore   bool            `json:"ignore_merges"`
	Vocab    json.RawMessage `json:"vocab"`
	Merges   json.RawMessage `json:"merges"`
}

func (m *Model) parseModel(raw json.RawMessage) (vocab map[string]int32, err error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("tokenizer.json: model: %w", err)
	}
	for what, is := range map[string]bool{
		"dropout": d.Dropout != 0, "a continuing_subword_prefix": d.Prefix != "", "an end_of_word_suffix": d.Suffix != "",
		"byte_fallback behind ByteLevel": d.Fallback && m.bytewise,
	} {
		if is {
			return nil, &tokenizerjson.UnsupportedError{Part: "model", Got: "BPE with " + what, Want: "BPE without it"}
		}
	}
	if vocab, err = parseVocab(d.Vocab); err != nil {
		return nil, fmt.Errorf("tokenizer.json: model.vocab: %w", err)
	}
	if d.Unknown != nil {
		var ok bool
		if m.unknown, ok = vocab[*d.Unknown]; !ok {
			return nil, fmt.Errorf("tokenizer.json: model: the unknown token %q is not in the vocabulary", *d.Unknown)
		}
	}
	m.fuse = d.Fuse
	m.symbols(vocab, d.Fallback)
	if d.Ignore {
		m.wholeWords(vocab)
	}
	across, err := m.parseMerges(d.Merges, vocab)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: model.merges: %w", err)
	}
	if _, ok := vocab[blankMark]; ok && !across && !m.bytewise && !d.Ignore {
		m.mark = []byte(blankMark)
	}
	return vocab, nil
}

// blankMark stands for a blank in vocabularies over characters.
const blankMark = "▁"

// symbols finds the tokens that words begin as.
func (m *Model) symbols(vocab map[string]int32, fallback bool) {
	id := func(token string) int32 {
		if id, ok := vocab[token]; ok {
			return id
		}
		return none
	}
	if m.bytewise {
		for b := range 256 {
			m.single[b] = id(string(byteRune(byte(b)))) //nolint:gosec // below 256
		}
		return
	}
	m.runes = map[rune]int32{}
	for token, id := range vocab {
		if r, width := utf8.DecodeRuneInString(token); width == len(token) && token != "" {
			m.runes[r] = id
		}
	}
	for b := range utf8.RuneSelf {
		m.single[b] = id(string(rune(b)))
	}
	if fallback {
		m.bytes = &[256]int32{}
		for b := range m.bytes {
			m.bytes[b] = id(fmt.Sprintf("<0x%02X>", b))
		}
	}
}

// byteRune is the character that stands for a byte in vocabularies over bytes: itself if it can be
// printed, else one from 256 on, in the order of bytes (Radford et al. 2019).
func byteRune(b byte) rune {
	switch {
	case b <= ' ':
		return 256 + rune(b)
	case b >= 0x7f && b <= 0xa0:
		return 256 + ' ' + 1 + rune(b) - 0x7f
	case b == 0xad:
		return 256 + ' ' + 1 + 0xa0 - 0x7f + 1
	}
	return rune(b)
}

// wholeWords keeps the tokens by the text that they are.
func (m *Model) wholeWords(vocab map[string]int32) {
	if m.whole = vocab; !m.bytewise {
		return
	}
	bytes := map[rune]byte{}
	for b := range 256 {
		bytes[byteRune(byte(b))] = byte(b) //nolint:gosec // below 256
	}
	m.whole = make(map[string]int32, len(vocab))
	for token, id := range vocab {
		text := make([]byte, 0, len(token))
		for _, r := range token {
			if b, ok := bytes[r]; ok {
				text = append(text, b)
			} else {
				text = nil
				break
			}
		}
		if len(text) > 0 {
			m.whole[string(text)] = id
		}
	}
}

// parseVocab reads {"token": id, ...} of valid JSON.
func parseVocab(raw json.RawMessage) (map[string]int32, error) {
	r := tokenizerjson.Reader{Rest: raw}
	if !r.Take('{') {
		return nil, errors.New("is not a map of tokens")
	}
	vocab := map[string]int32{}
	for n := 0; !r.Take('}'); n++ {
		if n >= maxID {
			return nil, fmt.Errorf("has more than %d tokens", maxID)
		}
		if n > 0 && !r.Take(',') {
			return nil, fmt.Errorf("element %d is not a token and its id", n)
		}
		token, ok := r.Text()
		if !ok || !r.Take(':') {
			return nil, fmt.Errorf("element %d is not a token and its id", n)
		}
		id, ok := r.Number()
		if !ok || id < 0 || id >= maxID || id != float64(int32(id)) {
			return nil, fmt.Errorf("token %.40q has no id from 0 to %d", token, maxID-1)
		}
		vocab[token] = int32(id)
	}
	if len(vocab) == 0 {
		return nil, errors.New("is empty")
	}
	return vocab, nil
}

// parseMerges reads ["a b", ...], as old files have it, or [["a", "b"], ...]. across says that one
// of them joins what stands before a blank's mark to it.
func (m *Model) parseMerges(raw json.RawMessage, vocab map[string]int32) (across bool, err error) {
	var pairs [][2]string
	r := tokenizerjson.Reader{Rest: raw}
	if !r.Take('[') {
		return false, errors.New("is not a list of pairs")
	}
	for n := 0; !r.Take(']'); n++ {
		if n >= maxMerges {
			return false, fmt.Errorf("has more than %d pairs", maxMerges)
		}
		if n > 0 && !r.Take(',') {
			return false, fmt.Errorf("element %d is not a pair", n)
		}
		pair, ok := parseMerge(&r)
		if !ok {
			return false, fmt.Errorf("element %d is neither [\"a\", \"b\"] nor \"a b\"", n)
		}
		pairs = append(pairs, pair)
	}
	m.merges = newMerges(len(pairs))
	for _, p := range pairs {
		var ids [3]int32
		for i, token := range []string{p[0], p[1], p[0] + p[1]} {
			id, ok := vocab[token]
			if !ok {
				return false, fmt.Errorf("of %.40q and %.40q %.80q is not in the vocabulary", p[0], p[1], token)
			}
			ids[i] = id
		}
		m.merges.add(ids[0], ids[1], ids[2])
		across = across || strings.HasPrefix(p[1], blankMark) && strings.Trim(p[0], blankMark) != "" || markInside(p[0]) || markInside(p[1])
	}
	return across, nil
}

// markInside says whether a blank's mark stands behind something else in a token.
func markInside(token string) bool {
	return strings.Contains(strings.TrimLeft(token, blankMark), blankMark)
}

func parseMerge(r *tokenizerjson.Reader) (pair [2]string, ok bool) {
	if r.Take('[') {
		if pair[0], ok = r.Text(); !ok || !r.Take(',') {
			return pair, false
		}
		pair[1], ok = r.Text()
		return pair, ok && r.Take(']')
	}
	both, ok := r.Text()
	if !ok {
		return pair, false
	}
	var one bool
	if pair[0], pair[1], one = strings.Cut(both, " "); !one || strings.Contains(pair[1], " ") {
		return pair, false
	}
	return pair, true
}
