package tokenize

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// frame is what stands around a text, and between the two of a pair.
type frame struct {
	cls, sep int32
	middle   []int32 // between the texts of a pair
	second   int32   // the type id of the second one and of the last token
}

// piece is one element of a TemplateProcessing pattern.
type piece struct {
	SpecialToken *templatePart `json:"SpecialToken"`
	Sequence     *templatePart `json:"Sequence"`
}

type templatePart struct {
	ID   string `json:"id"`
	Type int32  `json:"type_id"`
}

// postProcessor is document.PostProcessor, of any type that is known.
type postProcessor struct {
	Type   string            `json:"type"`
	CLS    []json.RawMessage `json:"cls"`
	SEP    []json.RawMessage `json:"sep"`
	Each   []json.RawMessage `json:"processors"`
	Single []piece           `json:"single"`
	Pair   []piece           `json:"pair"`
	Tokens map[string]struct {
		IDs []int64 `json:"ids"`
	} `json:"special_tokens"`
}

const knownPostProcessors = "TemplateProcessing, BertProcessing or RobertaProcessing, or one of them in a sequence with ByteLevel"

// parseFrame finds the ids of [CLS] and [SEP], whatever they are called. Only the
// pattern "one token, text, one token" is BERT's.
func parseFrame(post json.RawMessage) (f frame, err error) {
	if len(post) == 0 || bytes.Equal(post, []byte("null")) {
		return f, &UnsupportedError{Part: "post_processor", Got: "null", Want: knownPostProcessors}
	}
	if len(post) > maxPost {
		return f, fmt.Errorf("tokenizer.json: post_processor: %d bytes, more than %d", len(post), maxPost)
	}
	var p postProcessor
	if err := json.Unmarshal(post, &p); err != nil {
		return f, fmt.Errorf("tokenizer.json: post_processor: %w", err)
	}
	switch p.Type {
	case "Sequence":
		return p.sequence()
	case "BertProcessing", "RobertaProcessing":
		if f.cls, err = pairID(p.CLS); err != nil {
			return f, err
		}
		f.sep, err = pairID(p.SEP)
		if f.middle, f.second = []int32{f.sep}, 1; p.Type == "RobertaProcessing" {
			f.middle, f.second = []int32{f.sep, f.sep}, 0
		}
		return f, err
	case "TemplateProcessing":
		return p.template()
	}
	return f, &UnsupportedError{Part: "post_processor", Got: p.Type, Want: knownPostProcessors}
}

// sequence is the one of several that puts tokens around texts: ByteLevel changes no ids.
func (p *postProcessor) sequence() (f frame, err error) {
	var left []json.RawMessage
	for _, each := range p.Each {
		var typed struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(each, &typed); err != nil {
			return f, fmt.Errorf("tokenizer.json: post_processor: %w", err)
		}
		if typed.Type == "Sequence" {
			return f, &UnsupportedError{Part: "post_processor", Got: "a Sequence in a Sequence", Want: knownPostProcessors}
		}
		if typed.Type != "ByteLevel" {
			left = append(left, each)
		}
	}
	if len(left) != 1 {
		return f, &UnsupportedError{Part: "post_processor", Got: fmt.Sprintf("a Sequence with %d processors beside ByteLevel", len(left)), Want: knownPostProcessors}
	}
	return parseFrame(left[0])
}

// template reads the patterns of a TemplateProcessing: that of pairs may have more tokens between
// the texts, and types of its own.
func (p *postProcessor) template() (f frame, err error) {
	s := p.Single
	if len(s) != 3 || s[0].SpecialToken == nil || s[1].Sequence == nil || s[2].SpecialToken == nil {
		return f, fmt.Errorf("tokenizer.json: post_processor: the pattern is not one token, the text, one token")
	}
	if f.cls, err = p.token(s[0]); err != nil {
		return f, err
	}
	if f.sep, err = p.token(s[2]); err != nil {
		return f, err
	}
	f.middle, f.second = []int32{f.sep}, 1
	n := len(p.Pair)
	if n == 0 {
		return f, nil
	}
	odd := fmt.Errorf("tokenizer.json: post_processor: the pattern of pairs is not that of one text, tokens, the second text, and the token after it")
	if n < 5 || n > 7 || p.Pair[0].SpecialToken == nil || p.Pair[1].Sequence == nil || p.Pair[n-2].Sequence == nil || p.Pair[n-1].SpecialToken == nil {
		return f, odd
	}
	f.middle, f.second = nil, p.Pair[n-2].Sequence.Type
	for _, between := range p.Pair[2 : n-2] {
		id, err := p.token(between)
		if err != nil || between.SpecialToken.Type != 0 {
			return f, odd
		}
		f.middle = append(f.middle, id)
	}
	begin, err := p.token(p.Pair[0])
	if err != nil || begin != f.cls || p.Pair[1].Sequence.Type != 0 || p.Pair[n-1].SpecialToken.Type != f.second {
		return f, odd
	}
	if end, err := p.token(p.Pair[n-1]); err != nil || end != f.sep || f.second < 0 || f.second > 1 {
		return f, odd
	}
	return f, nil
}

// token is the id of a special token of the pattern.
func (p *postProcessor) token(x piece) (int32, error) {
	if x.SpecialToken == nil {
		return 0, fmt.Errorf("tokenizer.json: post_processor: a text stands where a token should")
	}
	ids := p.Tokens[x.SpecialToken.ID].IDs
	if len(ids) != 1 || ids[0] < 0 || ids[0] >= maxID {
		return 0, fmt.Errorf("tokenizer.json: post_processor: token %q has ids %v", x.SpecialToken.ID, ids)
	}
	return int32(ids[0]), nil
}

// pairID reads BertProcessing's ["[CLS]", 101].
func pairID(pair []json.RawMessage) (int32, error) {
	var id int64
	if len(pair) != 2 || json.Unmarshal(pair[1], &id) != nil || id < 0 || id >= maxID {
		return 0, fmt.Errorf("tokenizer.json: post_processor: %s is not a token and its id", pair)
	}
	return int32(id), nil
}
