package unigram

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/tokenize/normalize"
	"github.com/sprint-ml/sprint/ml/tokenize/tokenizerjson"
)

// Parts are those of a tokenizer.json that this package reads, as they stand there.
type Parts struct{ Normalizer, PreTokenizer, Model json.RawMessage }

// knownPreTokenizers are what the engine follows, for messages.
const knownPreTokenizers = "Metaspace, or WhitespaceSplit and Metaspace"

// New makes a model of the parts of a file whose model is Unigram, and gives its pieces, the ids
// of which are their places. A part of another kind is a *tokenizerjson.UnsupportedError.
func New(p Parts) (m *Model, pieces []string, err error) {
	m = &Model{}
	m.scratch.New = func() any { return &scratch{} }
	if err := m.parseModel(p.Model, &pieces); err != nil {
		return nil, nil, err
	}
	if err := m.parsePreTokenizer(p.PreTokenizer); err != nil {
		return nil, nil, err
	}
	if m.steps, err = normalize.Parse(p.Normalizer); err != nil {
		return nil, nil, err
	}
	m.wordwise = !m.meta.whole && m.meta.scheme == schemeAlways && normalize.Wordwise(m.steps)
	return m, pieces, nil
}

func (m *Model) parsePreTokenizer(raw json.RawMessage) error {
	var p struct {
		tokenizerjson.Typed
		PreTokenizers []json.RawMessage `json:"pretokenizers"`
	}
	if tokenizerjson.Null(raw) {
		return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: "null", Want: knownPreTokenizers}
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("tokenizer.json: pre_tokenizer: %w", err)
	}
	switch p.Type {
	case "Metaspace":
		return m.parseMetaspace(raw)
	case "Sequence":
		if n := len(p.PreTokenizers); n == 2 {
			var first tokenizerjson.Typed
			if err := json.Unmarshal(p.PreTokenizers[0], &first); err != nil {
				return fmt.Errorf("tokenizer.json: pre_tokenizer: %w", err)
			}
			if first.Type != "WhitespaceSplit" {
				return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: "a sequence that begins with " + first.Name(), Want: knownPreTokenizers}
			}
			if err := m.parseMetaspace(p.PreTokenizers[1]); err != nil || m.meta.scheme != schemeFirst {
				m.meta.trim = true
				return err
			}
			// Which of the words begins where the text does is a matter of its normalisers.
			return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: "WhitespaceSplit before Metaspace with the prepend_scheme first", Want: knownPreTokenizers}
		} else if n == 1 {
			return m.parseMetaspace(p.PreTokenizers[0])
		}
		return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: fmt.Sprintf("a sequence of %d", len(p.PreTokenizers)), Want: knownPreTokenizers}
	}
	return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: p.Name(), Want: knownPreTokenizers}
}

func (m *Model) parseMetaspace(raw json.RawMessage) error {
	var p struct {
		tokenizerjson.Typed
		Replacement string `json:"replacement"`
		AddPrefix   *bool  `json:"add_prefix_space"`
		Scheme      string `json:"prepend_scheme"`
		Split       *bool  `json:"split"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("tokenizer.json: pre_tokenizer: %w", err)
	}
	if p.Type != "Metaspace" {
		return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: p.Name(), Want: knownPreTokenizers}
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
		return &tokenizerjson.UnsupportedError{Part: "pre_tokenizer", Got: fmt.Sprintf("Metaspace with the prepend_scheme %q", p.Scheme), Want: "always, first or never"}
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

// parseVocab reads [["piece", score], ...] of valid JSON.
func parseVocab(raw json.RawMessage) (pieces []string, scores []float64, err error) {
	r := tokenizerjson.Reader{Rest: raw}
	if !r.Take('[') {
		return nil, nil, errors.New("is not a list of [piece, score]")
	}
	for n := 0; !r.Take(']'); n++ {
		if n > 0 && !r.Take(',') || !r.Take('[') {
			return nil, nil, fmt.Errorf("element %d is not [piece, score]", n)
		}
		piece, ok := r.Text()
		if !ok || !r.Take(',') {
			return nil, nil, fmt.Errorf("element %d has no score: [piece, score] is needed", n)
		}
		score, ok := r.Number()
		if !ok || !r.Take(']') {
			return nil, nil, fmt.Errorf("element %d (%.40q) has no score that is a number", n, piece)
		}
		pieces, scores = append(pieces, piece), append(scores, score)
	}
	if len(pieces) == 0 {
		return nil, nil, errors.New("is empty")
	}
	return pieces, scores, nil
}
