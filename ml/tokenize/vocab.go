package tokenize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

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
