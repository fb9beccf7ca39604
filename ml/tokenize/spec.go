package tokenize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// spec is a tokenizer.json reduced to what encoding depends on.
type spec struct {
	vocab       map[string]int32
	added       []added
	lower       bool
	strip       bool // accents
	clean       bool
	cjk         bool
	unk         int32
	cls, sep    int32
	prefix      string // of pieces that continue a word
	maxChars    int    // longer words are unknown
	unsupported *UnsupportedError
}

// added is a token that is looked for in the raw text, before anything else.
type added struct {
	content string
	id      int32
}

// Caps of a tokenizer.json, so that a hostile file cannot make Size, Vocab or the reading
// of it huge. The largest known vocabulary of
// BERT's family has 501,153 tokens.
const (
	maxID     = 1 << 19
	maxAdded  = 1 << 16 // added tokens
	maxPost   = 1 << 20 // bytes of the post-processor
	maxFields = 1 << 10 // at the top
)

// within refuses a part of a tokenizer.json with more elements than most: each has the
// mark, which is counted before anything is made of them.
func within(part string, raw []byte, mark string, most int) error {
	if n := bytes.Count(raw, []byte(mark)); n > most+most/8 { // texts may hold some
		return fmt.Errorf("tokenizer.json: %s: about %d elements, more than %d", part, n, most)
	}
	return nil
}

// document is tokenizer.json as far as it is read here.
type document struct {
	AddedTokens json.RawMessage `json:"added_tokens"`
	Normalizer  *struct {
		Type  string `json:"type"`
		Clean bool   `json:"clean_text"`
		CJK   bool   `json:"handle_chinese_chars"`
		Strip *bool  `json:"strip_accents"`
		Lower bool   `json:"lowercase"`
	} `json:"normalizer"`
	PreTokenizer *struct {
		Type string `json:"type"`
	} `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Model         struct {
		Type   string          `json:"type"`
		Vocab  json.RawMessage `json:"vocab"`
		Unk    string          `json:"unk_token"`
		Prefix string          `json:"continuing_subword_prefix"`
		Max    int             `json:"max_input_chars_per_word"`
	} `json:"model"`
}

// addedToken is an element of document.AddedTokens.
type addedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
}

// parseSpec reads a tokenizer.json. Parts of another family end up in
// spec.unsupported, since only the engine knows whether it minds; what no engine
// here can do without, like [CLS] and [SEP], is an error.
func parseSpec(data []byte) (spec, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return spec{}, fmt.Errorf("tokenizer.json: %w", err)
	}
	err := errors.Join(within("added_tokens", d.AddedTokens, "{", maxAdded), within("model.vocab", d.Model.Vocab, ":", maxID), within("model.vocab", d.Model.Vocab, "[", maxID))
	var addedTokens []addedToken
	if err == nil && len(d.AddedTokens) > 0 {
		if err = json.Unmarshal(d.AddedTokens, &addedTokens); err != nil {
			err = fmt.Errorf("tokenizer.json: added_tokens: %w", err)
		}
	}
	if err != nil {
		return spec{}, err
	}
	s := spec{vocab: map[string]int32{}, prefix: d.Model.Prefix, maxChars: d.Model.Max}
	s.unsupported = family(&d)
	for _, a := range addedTokens {
		if a.ID < 0 || a.ID >= maxID || a.Content == "" {
			return spec{}, fmt.Errorf("tokenizer.json: added token %q has id %d", a.Content, a.ID)
		}
		if s.unsupported == nil && (a.SingleWord || a.LStrip || a.RStrip || a.Normalized) {
			s.unsupported = &UnsupportedError{Part: fmt.Sprintf("added token %q", a.Content), Got: "single_word, lstrip, rstrip or normalized", Want: "plain added tokens"}
		}
		s.added = append(s.added, added{content: a.Content, id: int32(a.ID)})
	}
	if s.unsupported == nil {
		if err := s.wordPiece(&d); err != nil {
			return spec{}, err
		}
	} else {
		s.otherVocab(d.Model.Vocab)
	}
	s.cls, s.sep, err = specials(d.PostProcessor)
	return s, err
}

// family names the first part that is not BERT's.
func family(d *document) *UnsupportedError {
	for _, part := range []struct{ name, got, want string }{
		{"model", d.Model.Type, "WordPiece"},
		{"normalizer", typeOf(d.Normalizer != nil, func() string { return d.Normalizer.Type }), "BertNormalizer"},
		{"pre_tokenizer", typeOf(d.PreTokenizer != nil, func() string { return d.PreTokenizer.Type }), "BertPreTokenizer"},
	} {
		if part.got != part.want {
			if part.got == "" {
				part.got = "without a type"
			}
			return &UnsupportedError{Part: part.name, Got: part.got, Want: "BertNormalizer + BertPreTokenizer + WordPiece"}
		}
	}
	return nil
}

func typeOf(there bool, get func() string) string {
	if !there {
		return "null"
	}
	return get()
}

// wordPiece fills in what only the BERT family has.
func (s *spec) wordPiece(d *document) error {
	if err := json.Unmarshal(d.Model.Vocab, &s.vocab); err != nil {
		return fmt.Errorf("tokenizer.json: model.vocab: %w", err)
	}
	for token, id := range s.vocab {
		if id < 0 || id >= maxID {
			return fmt.Errorf("tokenizer.json: token %q has id %d", token, id)
		}
	}
	if s.maxChars < 1 {
		return fmt.Errorf("tokenizer.json: max_input_chars_per_word is %d", s.maxChars)
	}
	var ok bool
	if s.unk, ok = s.vocab[d.Model.Unk]; !ok {
		return fmt.Errorf("tokenizer.json: the unknown token %q is not in the vocabulary", d.Model.Unk)
	}
	n := d.Normalizer
	s.lower, s.clean, s.cjk, s.strip = n.Lower, n.Clean, n.CJK, n.Lower
	if n.Strip != nil {
		s.strip = *n.Strip // null means: as lowercase
	}
	return nil
}

// otherVocab reads the vocabulary of another family, for ID and Size: BPE's is a
// map, Unigram's a list of [token, score]. What it cannot read it leaves out; the
// engine is the judge of such files.
func (s *spec) otherVocab(raw json.RawMessage) {
	var byToken map[string]int64
	if json.Unmarshal(raw, &byToken) == nil {
		for token, id := range byToken {
			if id >= 0 && id < maxID {
				s.vocab[token] = int32(id)
			}
		}
		return
	}
	var list [][]any
	if json.Unmarshal(raw, &list) != nil || len(list) > maxID {
		return
	}
	for id, pair := range list {
		if token, ok := append(pair, nil)[0].(string); ok {
			s.vocab[token] = int32(id)
		}
	}
}

// piece is one element of a TemplateProcessing pattern.
type piece struct {
	SpecialToken *struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
	Sequence *struct {
		ID string `json:"id"`
	} `json:"Sequence"`
}

// specials finds the ids of [CLS] and [SEP], whatever they are called. Only the
// pattern "one token, text, one token" is BERT's.
func specials(post json.RawMessage) (cls, sep int32, err error) {
	var p struct {
		Type   string            `json:"type"`
		CLS    []json.RawMessage `json:"cls"`
		SEP    []json.RawMessage `json:"sep"`
		Single []piece           `json:"single"`
		Tokens map[string]struct {
			IDs []int64 `json:"ids"`
		} `json:"special_tokens"`
	}
	if len(post) == 0 || bytes.Equal(post, []byte("null")) {
		return 0, 0, &UnsupportedError{Part: "post_processor", Got: "null", Want: "TemplateProcessing or BertProcessing"}
	}
	if len(post) > maxPost {
		return 0, 0, fmt.Errorf("tokenizer.json: post_processor: %d bytes, more than %d", len(post), maxPost)
	}
	if err := json.Unmarshal(post, &p); err != nil {
		return 0, 0, fmt.Errorf("tokenizer.json: post_processor: %w", err)
	}
	switch p.Type {
	case "BertProcessing":
		if cls, err = pairID(p.CLS); err != nil {
			return 0, 0, err
		}
		sep, err = pairID(p.SEP)
		return cls, sep, err
	case "TemplateProcessing":
		s := p.Single
		if len(s) != 3 || s[0].SpecialToken == nil || s[1].Sequence == nil || s[2].SpecialToken == nil {
			return 0, 0, fmt.Errorf("tokenizer.json: post_processor: the pattern is not one token, the text, one token")
		}
		for i, to := range map[int]*int32{0: &cls, 2: &sep} {
			ids := p.Tokens[s[i].SpecialToken.ID].IDs
			if len(ids) != 1 || ids[0] < 0 || ids[0] >= maxID {
				return 0, 0, fmt.Errorf("tokenizer.json: post_processor: token %q has ids %v", s[i].SpecialToken.ID, ids)
			}
			*to = int32(ids[0])
		}
		return cls, sep, nil
	}
	return 0, 0, &UnsupportedError{Part: "post_processor", Got: p.Type, Want: "TemplateProcessing or BertProcessing"}
}

// pairID reads BertProcessing's ["[CLS]", 101].
func pairID(pair []json.RawMessage) (int32, error) {
	var id int64
	if len(pair) != 2 || json.Unmarshal(pair[1], &id) != nil || id < 0 || id >= maxID {
		return 0, fmt.Errorf("tokenizer.json: post_processor: %s is not a token and its id", pair)
	}
	return int32(id), nil
}

// withoutLimits nulls truncation and padding: MiniLM's file pads every text to
// 128, which would be undone at great cost.
func withoutLimits(data []byte) ([]byte, error) {
	all := map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(data)) // of an object, as parseSpec has found
	_, err := d.Token()
	for err == nil && d.More() {
		var name json.Token
		var value json.RawMessage
		if name, err = d.Token(); err == nil {
			err = d.Decode(&value)
		}
		if all[fmt.Sprint(name)] = value; err == nil && len(all) > maxFields {
			err = fmt.Errorf("more than %d fields", maxFields)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	all["truncation"], all["padding"] = json.RawMessage("null"), json.RawMessage("null")
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(all); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return out.Bytes(), nil
}

// VocabOptions say how the vocabulary of a vocab.txt was trained.
type VocabOptions struct {
	Lower bool // the vocabulary is uncased
	// StripAccents nil means: as Lower. Either way it is written out, since a
	// null in the file would follow lowercase in every reader, and a cased
	// vocabulary with å, ä and ö must keep them.
	StripAccents *bool
}

// FromVocab makes the tokenizer of a BERT vocab.txt: one token a line, [CLS],
// [SEP], [UNK], [PAD] and [MASK] among them. JSON returns the tokenizer.json
// that it stands for.
func FromVocab(vocab []byte, o VocabOptions) (*Tokenizer, error) {
	ids, err := parseVocab(vocab)
	if err != nil {
		return nil, err
	}
	strip := o.Lower
	if o.StripAccents != nil {
		strip = *o.StripAccents
	}
	data, err := bertJSON(ids, o.Lower, strip)
	if err != nil {
		return nil, err
	}
	t, err := Load(data)
	if err != nil {
		return nil, err
	}
	t.vocab = bytes.Clone(vocab)
	return t, nil
}

// specialTokens are those that BERT's vocabularies must have.
var specialTokens = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

// parseVocab numbers the lines. The later of two equal lines wins, as it does in
// transformers.
func parseVocab(vocab []byte) (map[string]int32, error) {
	ids := map[string]int32{}
	next := int32(0)
	for line := range strings.Lines(string(vocab)) {
		if next >= maxID {
			return nil, fmt.Errorf("vocab.txt: more than %d lines", maxID)
		}
		// Only the line's end goes: tokens may hold other blanks.
		token := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		ids[token] = next
		next++
	}
	for _, s := range specialTokens {
		if _, ok := ids[s]; !ok {
			return nil, fmt.Errorf("vocab.txt: %s is missing; is this a BERT vocabulary?", s)
		}
	}
	return ids, nil
}

// bertJSON writes the tokenizer.json that transformers makes of such a vocabulary.
func bertJSON(ids map[string]int32, lower, strip bool) ([]byte, error) {
	type object = map[string]any
	var added []object
	for _, s := range specialTokens {
		added = append(added, object{"id": ids[s], "content": s, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
	}
	special := func(token string, kind int) object {
		return object{"SpecialToken": object{"id": token, "type_id": kind}}
	}
	text := func(name string, kind int) object { return object{"Sequence": object{"id": name, "type_id": kind}} }
	token := func(s string) object { return object{"id": s, "ids": []int32{ids[s]}, "tokens": []string{s}} }
	return json.Marshal(object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added,
		"normalizer":    object{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": strip, "lowercase": lower},
		"pre_tokenizer": object{"type": "BertPreTokenizer"},
		"post_processor": object{"type": "TemplateProcessing",
			"single":         []object{special("[CLS]", 0), text("A", 0), special("[SEP]", 0)},
			"pair":           []object{special("[CLS]", 0), text("A", 0), special("[SEP]", 0), text("B", 1), special("[SEP]", 1)},
			"special_tokens": object{"[CLS]": token("[CLS]"), "[SEP]": token("[SEP]")}},
		"decoder": object{"type": "WordPiece", "prefix": "##", "cleanup": true},
		"model":   object{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": ids},
	})
}
