package tokenize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/ml/tokenize/bpe"
	"github.com/sprint-ml/sprint/ml/tokenize/tokenizerjson"
	"github.com/sprint-ml/sprint/ml/tokenize/unigram"
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
	frame       frame
	prefix      string         // of pieces that continue a word
	maxChars    int            // longer words are unknown
	unigram     *unigram.Model // of the families that have one
	bpe         *bpe.Model     // of the families that have one
	unsupported *UnsupportedError
}

// added is a token that is looked for in the raw text, before anything else.
type added struct {
	content string
	id      int32
	// White space beside the token belongs to it.
	left, right bool
	// Of byte pair encodings alone: word says that no word goes on beside the token, normalized
	// that it is looked for in the normalised text.
	word, normalized bool
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
	AddedTokens   json.RawMessage `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Model         json.RawMessage `json:"model"`

	normalizer bertNormalizer
	model      model
}

// bertNormalizer is the normaliser of BERT's family.
type bertNormalizer struct {
	Type  string `json:"type"`
	Clean bool   `json:"clean_text"`
	CJK   bool   `json:"handle_chinese_chars"`
	Strip *bool  `json:"strip_accents"`
	Lower bool   `json:"lowercase"`
}

// model is document.Model, as WordPiece has it.
type model struct {
	Type   string          `json:"type"`
	Vocab  json.RawMessage `json:"vocab"`
	Unk    string          `json:"unk_token"`
	Prefix string          `json:"continuing_subword_prefix"`
	Max    int             `json:"max_input_chars_per_word"`
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
	err := json.Unmarshal(data, &d)
	if err == nil && len(d.Model) > 0 {
		err = json.Unmarshal(d.Model, &d.model)
	}
	if err != nil {
		return spec{}, fmt.Errorf("tokenizer.json: %w", err)
	}
	tokens, err := d.added()
	if err != nil {
		return spec{}, err
	}
	s := spec{vocab: map[string]int32{}, prefix: d.model.Prefix, maxChars: d.model.Max}
	switch {
	case d.model.Type == unigramModel:
		err = s.unigramModel(&d)
	case d.model.Type == bpeModel:
		err = s.bpeModel(&d)
	default:
		if s.unsupported = d.family(); s.unsupported == nil {
			err = s.wordPiece(&d)
		}
	}
	if err != nil {
		return spec{}, err
	}
	if err := s.takeAdded(tokens); err != nil {
		return spec{}, err
	}
	if s.unsupported != nil {
		s.otherVocab(d.model.Vocab)
	}
	s.frame, err = parseFrame(d.PostProcessor)
	return s, err
}

// added reads the added tokens, after what caps there are on elements.
func (d *document) added() (tokens []addedToken, err error) {
	err = errors.Join(within("added_tokens", d.AddedTokens, "{", maxAdded), within("model.vocab", d.model.Vocab, ":", maxID), within("model.vocab", d.model.Vocab, "[", maxID))
	if err != nil || len(d.AddedTokens) == 0 {
		return nil, err
	}
	if err = json.Unmarshal(d.AddedTokens, &tokens); err != nil {
		err = fmt.Errorf("tokenizer.json: added_tokens: %w", err)
	}
	return tokens, err
}

// takeAdded keeps the added tokens. Those of unigram models may take white space with them, as
// <mask> does; those of byte pair encodings may be anything.
func (s *spec) takeAdded(tokens []addedToken) error {
	for _, a := range tokens {
		if a.ID < 0 || a.ID >= maxID || a.Content == "" {
			return fmt.Errorf("tokenizer.json: added token %q has id %d", a.Content, a.ID)
		}
		if id, ok := s.vocab[a.Content]; (s.unigram != nil || s.bpe != nil) && ok && int64(id) != a.ID {
			return fmt.Errorf("tokenizer.json: added token %q has id %d, in the vocabulary it has %d", a.Content, a.ID, id)
		}
		odd := a.SingleWord || a.Normalized || s.unigram == nil && (a.LStrip || a.RStrip)
		if s.unsupported == nil && s.bpe == nil && odd {
			s.unsupported = &UnsupportedError{Part: fmt.Sprintf("added token %q", a.Content), Got: "single_word, lstrip, rstrip or normalized", Want: "plain added tokens"}
		}
		s.added = append(s.added, added{content: a.Content, id: int32(a.ID), left: a.LStrip, right: a.RStrip, word: a.SingleWord, normalized: a.Normalized})
	}
	return nil
}

// The types of models that packages unigram and bpe follow.
const (
	unigramModel = "Unigram"
	bpeModel     = "BPE"
)

// bpeModel fills in what the families of ModernBERT, RoBERTa and Gemma have.
func (s *spec) bpeModel(d *document) error {
	m, vocab, err := bpe.New(bpe.Parts{Normalizer: d.Normalizer, PreTokenizer: d.PreTokenizer, Model: d.Model})
	if ok, err := s.followed(err); !ok {
		return err
	}
	s.bpe, s.unk, s.vocab = m, m.Unknown(), vocab
	return nil
}

// followed reports whether there is no error; one of an unknown part becomes s.unsupported.
func (s *spec) followed(err error) (bool, error) {
	var other *tokenizerjson.UnsupportedError
	if errors.As(err, &other) {
		s.unsupported, err = &UnsupportedError{Part: other.Part, Got: other.Got, Want: other.Want}, nil
	}
	return err == nil && other == nil, err
}

// unigramModel fills in what the family of XLM-RoBERTa has.
func (s *spec) unigramModel(d *document) error {
	m, pieces, err := unigram.New(unigram.Parts{Normalizer: d.Normalizer, PreTokenizer: d.PreTokenizer, Model: d.Model})
	if ok, err := s.followed(err); !ok {
		return err
	}
	s.unigram, s.unk, s.vocab = m, m.Unknown(), make(map[string]int32, len(pieces))
	for id, p := range pieces {
		s.vocab[p] = int32(id) //nolint:gosec // capped
	}
	return nil
}

// family names the first part that is not BERT's.
func (d *document) family() *UnsupportedError {
	var pre struct {
		Type string `json:"type"`
	}
	kind := func(raw json.RawMessage, to any, get *string) string {
		switch {
		case len(raw) == 0 || string(raw) == "null":
			return "null"
		case json.Unmarshal(raw, to) != nil:
			return "not an object"
		}
		return *get
	}
	for _, part := range []struct{ name, got, want string }{
		{"model", d.model.Type, "WordPiece"},
		{"normalizer", kind(d.Normalizer, &d.normalizer, &d.normalizer.Type), "BertNormalizer"},
		{"pre_tokenizer", kind(d.PreTokenizer, &pre, &pre.Type), "BertPreTokenizer"},
	} {
		if part.got != part.want {
			if part.got == "" {
				part.got = "without a type"
			}
			return &UnsupportedError{Part: part.name, Got: part.got, Want: "Unigram, BPE, or BertNormalizer + BertPreTokenizer + WordPiece,"}
		}
	}
	return nil
}

// wordPiece fills in what only the BERT family has.
func (s *spec) wordPiece(d *document) error {
	if err := json.Unmarshal(d.model.Vocab, &s.vocab); err != nil {
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
	if s.unk, ok = s.vocab[d.model.Unk]; !ok {
		return fmt.Errorf("tokenizer.json: the unknown token %q is not in the vocabulary", d.model.Unk)
	}
	n := d.normalizer
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
