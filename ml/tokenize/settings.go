package tokenize

import "encoding/json"

// Settings is the tokenizer_config.json that transformers needs beside
// tokenizer.json: without it, it makes every BERT tokenizer an uncased one. most
// is the length that texts are cut to on demand. It is nil for other families
// than BERT's, whose classes only their makers know.
func (t *Tokenizer) Settings(most int) []byte {
	if t.spec.unsupported != nil {
		return nil
	}
	text, err := json.MarshalIndent(map[string]any{
		"tokenizer_class": "BertTokenizer", "model_max_length": most,
		"do_lower_case": t.spec.lower, "strip_accents": t.spec.strip, "tokenize_chinese_chars": t.spec.cjk,
	}, "", "  ")
	if err != nil {
		return nil // a map of plain values always encodes
	}
	return append(text, '\n')
}
