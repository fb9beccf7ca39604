package unigram

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Parts are those of a tokenizer.json that this package reads, as they stand there.
type Parts struct{ Normalizer, PreTokenizer, Model json.RawMessage }

// UnsupportedError says which part of a tokenizer.json is of a kind that this engine does not follow.
type UnsupportedError struct{ Part, Got, Want string }

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("tokenizer.json: %s is %s, not %s", e.Part, e.Got, e.Want)
}

// What the engine follows, for messages.
const (
	knownNormalizers   = "Precompiled, NFC, NFD, NFKC, NFKD, Replace, Strip and sequences of them"
	knownPreTokenizers = "Metaspace, or WhitespaceSplit and Metaspace"
)

// New makes a model of the parts of a file whose model is Unigram, and gives its pieces, the ids
// of which are their places. A part of another kind is an *UnsupportedError.
func New(p Parts) (m *Model, pieces []string, err error) {
	m = &Model{}
	m.scratch.New = func() any { return &scratch{} }
	if err := m.parseModel(p.Model, &pieces); err != nil {
		return nil, nil, err
	}
	if err := m.parsePreTokenizer(p.PreTokenizer); err != nil {
		return nil, nil, err
	}
	if err := m.parseNormalizer(p.Normalizer, 0); err != nil {
		return nil, nil, err
	}
	m.wordwise = !m.meta.whole && m.meta.scheme == schemeAlways
	for _, s := range m.steps {
		if r, ok := s.(replace); ok && !r.wordwise() {
			m.wordwise = false
		}
	}
	return m, pieces, nil
}

// typed is the type of a part.
type typed struct {
	Type string `json:"type"`
}

func null(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// maxSteps and maxNesting bound a sequence of normalisers.
const (
	maxSteps   = 64
	maxNesting = 8
)

func (m *Model) parseNormalizer(raw json.RawMessage, depth int) error {
	if null(raw) {
		return nil
	}
	var n struct {
		typed
		Normalizers []json.RawMessage `json:"normalizers"`
		Charsmap    *string           `json:"precompiled_charsmap"`
		Left        bool              `json:"strip_left"`
		Right       bool              `json:"strip_right"`
		Pattern     struct {
			String, Regex *string
		} `json:"pattern"`
		Content string `json:"content"`
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return fmt.Errorf("tokenizer.json: normalizer: %w", err)
	}
	if len(m.steps) >= maxSteps || depth > maxNesting || len(n.Normalizers) > maxSteps {
		return fmt.Errorf("tokenizer.json: normalizer: more than %d, or nested deeper than %d", maxSteps, maxNesting)
	}
	switch n.Type {
	case "Sequence":
		for _, each := range n.Normalizers {
			if err := m.parseNormalizer(each, depth+1); err != nil {
				return err
			}
		}
	case "Precompiled":
		if n.Charsmap == nil {
			return errors.New("tokenizer.json: normalizer: Precompiled without a precompiled_charsmap")
		}
		c, err := parseCharsmap(*n.Charsmap)
		if err != nil {
			return err
		}
		m.steps = append(m.steps, c)
	case "NFC":
		m.steps = append(m.steps, normalForm{norm.NFC, true})
	case "NFD":
		m.steps = append(m.steps, normalForm{norm.NFD, false})
	case "NFKC":
		m.steps = append(m.steps, normalForm{norm.NFKC, true})
	case "NFKD":
		m.steps = append(m.steps, normalForm{norm.NFKD, false})
	case "Strip":
		m.steps = append(m.steps, strip{n.Left, n.Right})
	case "Replace":
		r, err := replacement(n.Pattern.String, n.Pattern.Regex, n.Content)
		if err != nil {
			return err
		}
		m.steps = append(m.steps, r)
	default:
		return &UnsupportedError{"normalizer", nameOf(n.Type), knownNormalizers}
	}
	return nil
}

func nameOf(kind string) string {
	if kind == "" {
		return "without a type"
	}
	return kind
}

// replacement reads the pattern of a Replace: a text, or the regular expression of a run of one
// rune, as " {2,}".
func replacement(text, regex *string, content string) (replace, error) {
	switch {
	case text != nil && *text != "":
		return replace{from: []byte(*text), content: []byte(content)}, nil
	case regex == nil || *regex == "":
		return replace{}, errors.New("tokenizer.json: normalizer: Replace without a pattern")
	}
	r, width := utf8.DecodeRuneInString(*regex)
	out := replace{from: []byte((*regex)[:width]), content: []byte(content)}
	switch rest := (*regex)[width:]; {
	case bytes.ContainsRune([]byte(`\.+*?()|[]{}^$`), r):
	case rest == "+":
		out.least = 1
		return out, nil
	case len(rest) > 3 && rest[0] == '{' && rest[len(rest)-2:] == ",}":
		if n, err := strconv.Atoi(rest[1 : len(rest)-2]); err == nil && n > 0 && n < 1<<10 {
			out.least = n
			return out, nil
		}
	}
	return replace{}, &UnsupportedError{"normalizer", fmt.Sprintf("Replace of the pattern %q", *regex), "Replace of a text, or of a run of one character as in \" {2,}\""}
}

func (m *Model) parsePreTokenizer(raw json.RawMessage) error {
	var p struct {
		typed
		PreTokenizers []json.RawMessage `json:"pretokenizers"`
	}
	if null(raw) {
		return &UnsupportedError{"pre_tokenizer", "null", knownPreTokenizers}
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("tokenizer.json: pre_tokenizer: %w", err)
	}
	switch p.Type {
	case "Metaspace":
		return m.parseMetaspace(raw)
	case "Sequence":
		if n := len(p.PreTokenizers); n == 2 {
			var first typed
			if err := json.Unmarshal(p.PreTokenizers[0], &first); err != nil {
				return fmt.Errorf("tokenizer.json: pre_tokenizer: %w", err)
			}
			if first.Type != "WhitespaceSplit" {
				return &UnsupportedError{"pre_tokenizer", "a sequence that begins with " + nameOf(first.Type), knownPreTokenizers}
			}
			if err := m.parseMetaspace(p.PreTokenizers[1]); err != nil || m.meta.scheme != schemeFirst {
				m.meta.trim = true
				return err
			}
			// Which of the words begins where the text does is a matter of its normalisers.
			return &UnsupportedError{"pre_tokenizer", "WhitespaceSplit before Metaspace with the prepend_scheme first", knownPreTokenizers}
		} else if n == 1 {
			return m.parseMetaspace(p.PreTokenizers[0])
		}
		return &UnsupportedError{"pre_tokenizer", fmt.Sprintf("a sequence of %d", len(p.PreTokenizers)), knownPreTokenizers}
	}
	return &UnsupportedError{"pre_tokenizer", nameOf(p.Type), knownPreTokenizers}
}

func (m *Model) parseMetaspace(raw json.RawMessage) error {
	var p struct {
		typed
		Replacement string `json:"replacement"`
		AddPrefix   *bool  `json:"add_prefix_space"`
		Scheme      string `json:"prepend_scheme"`
		Split       *bool  `json:"split"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("tokenizer.json: pre_tokenizer: %w", err)
	}
	if p.Type != "Metaspace" {
		return &UnsupportedError{"pre_tokenizer", nameOf(p.Type), knownPreTokenizers}
	}
	if utf8.RuneCountInString(p.Replacement) != 1 {
		return fmt.Errorf("tokenizer.json: pre_tokenizer: Metaspace's replacement is %q, not one character", p.Replacement)
	}
	never := p.AddPrefix != nil && !*p.AddPrefix
	switch {
	case p.Scheme == "" && never:
		p.Scheme = schemeNever
	case p.Scheme == "":
		p.Scheme = schemeAlways
	case never && p.Scheme != schemeNever:
		return fmt.Errorf("tokenizer.json: pre_tokenizer: Metaspace's prepend_scheme is %s, but add_prefix_space is false", p.Scheme)
	case p.Scheme != schemeAlways && p.Scheme != schemeFirst && p.Scheme != schemeNever:
		return &UnsupportedError{"pre_tokenizer", fmt.Sprintf("Metaspace with the prepend_scheme %q", p.Scheme), "always, first or never"}
	}
	m.meta.mark, m.meta.scheme, m.meta.whole = []byte(p.Replacement), p.Scheme, p.Split != nil && !*p.Split
	return nil
}

func (m *Model) parseModel(raw json.RawMessage, pieces *[]string) error {
	var d struct {
		Unknown  *int64          `json:"unk_id"`
		Fallback bool            `json:"byte_fallback"`
		Vocab    json.RawMessage `json:"vocab"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("tokenizer.json: model: %w", err)
	}
	list, scores, err := parseVocab(d.Vocab)
	if err != nil {
		return fmt.Errorf("tokenizer.json: model.vocab: %w", err)
	}
	if d.Unknown == nil {
		return errors.New("tokenizer.json: model: unk_id is missing: what stands for an unknown character?")
	}
	if *d.Unknown < 0 || *d.Unknown >= int64(len(list)) {
		return fmt.Errorf("tokenizer.json: model: unk_id is %d, the vocabulary has %d pieces", *d.Unknown, len(list))
	}
	least := math.Inf(1)
	for i, s := range scores {
		if len(list[i]) > maxPiece {
			return fmt.Errorf("tokenizer.json: model.vocab: piece %d has %d bytes, more than %d", i, len(list[i]), maxPiece)
		}
		least = min(least, s)
	}
	if m.pieces, err = newDoubleArray(list); err != nil {
		return err
	}
	m.scores, m.unknown, m.unkScore = scores, int32(*d.Unknown), least-unknownPenalty //nolint:gosec // below the number of pieces
	if d.Fallback {
		m.bytes = byteIDs(m.pieces)
	}
	*pieces = list
	return nil
}

// parseVocab reads [["piece", score], ...] of valid JSON. It does so by hand: a vocabulary of
// 250,000 pieces takes a general decoder ten times as long.
func parseVocab(raw json.RawMessage) (pieces []string, scores []float64, err error) {
	r := vocabReader{rest: raw}
	if !r.take('[') {
		return nil, nil, errors.New("is not a list of [piece, score]")
	}
	for n := 0; !r.take(']'); n++ {
		if n > 0 && !r.take(',') || !r.take('[') {
			return nil, nil, fmt.Errorf("element %d is not [piece, score]", n)
		}
		piece, ok := r.text()
		if !ok || !r.take(',') {
			return nil, nil, fmt.Errorf("element %d has no score: [piece, score] is needed", n)
		}
		score, ok := r.number()
		if !ok || !r.take(']') {
			return nil, nil, fmt.Errorf("element %d (%.40q) has no score that is a number", n, piece)
		}
		pieces, scores = append(pieces, piece), append(scores, score)
	}
	if len(pieces) == 0 {
		return nil, nil, errors.New("is empty")
	}
	return pieces, scores, nil
}

// vocabReader reads what is left of a JSON text.
type vocabReader struct{ rest []byte }

func (r *vocabReader) take(c byte) bool {
	r.rest = bytes.TrimLeft(r.rest, " \t\r\n")
	if len(r.rest) == 0 || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *vocabReader) text() (string, bool) {
	if !r.take('"') {
		return "", false
	}
	plain := true
	for i := 0; i < len(r.rest); i++ {
		switch c := r.rest[i]; {
		case c == '\\':
			plain = false
			i++
		case c == '"':
			raw := r.rest[:i]
			r.rest = r.rest[i+1:]
			if plain && utf8.Valid(raw) {
				return string(raw), true
			}
			var s string
			err := json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &s)
			return s, err == nil
		}
	}
	return "", false
}

func (r *vocabReader) number() (float64, bool) {
	r.rest = bytes.TrimLeft(r.rest, " \t\r\n")
	n := bytes.IndexAny(r.rest, " \t\r\n,]")
	if n < 0 {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(r.rest[:n]), 64)
	r.rest = r.rest[n:]
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
