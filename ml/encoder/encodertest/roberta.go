package encodertest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// XLMRoberta is the folder of a small XLM-RoBERTa, two layers of 32: a unigram tokenizer,
// positions from behind that of padding, one type, and tensors under "roberta.". Its weights
// are Noise, so every machine makes the same ones.
func XLMRoberta(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	pieces := robertaPieces()
	text, err := json.Marshal(map[string]any{
		"model_type": "xlm-roberta", "vocab_size": len(pieces) + 8, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
		"max_position_embeddings": 34, "type_vocab_size": 1, "layer_norm_eps": 1e-5, "hidden_act": "gelu", "pad_token_id": 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := encoder.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	weights := weightsUnder(t, "roberta.", c, func(name string, data []float32) {
		Noise(name, data)
		if strings.HasSuffix(name, "LayerNorm.weight") {
			for i := range data {
				data[i]++
			}
		}
	})
	tokenizer, err := json.Marshal(robertaTokenizer(pieces))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string][]byte{"config.json": text, "model.safetensors": weights, "tokenizer.json": tokenizer})
	return dir
}

// robertaPieces are the special ones, letters and words.
func robertaPieces() []string {
	pieces := []string{"<s>", "<pad>", "</s>", "<unk>", "▁"}
	for _, l := range "abcdefghijklmnopqrstuvwxyzåäö" {
		pieces = append(pieces, string(l), "▁"+string(l))
	}
	seen := map[string]bool{}
	for _, w := range strings.Fields(strings.ToLower(swedishWords)) {
		if len([]rune(w)) > 1 && !seen[w] {
			seen[w], pieces = true, append(pieces, "▁"+w)
		}
	}
	return append(pieces, "<mask>")
}

// robertaTokenizer is the tokenizer.json of pieces.
func robertaTokenizer(pieces []string) map[string]any {
	type object = map[string]any
	var vocab [][2]any
	for i, p := range pieces {
		vocab = append(vocab, [2]any{p, -float64(i) / 8})
	}
	var added []object
	for _, id := range []int{0, 1, 2, 3, len(pieces) - 1} {
		added = append(added, object{"id": id, "content": pieces[id], "single_word": false, "lstrip": pieces[id] == "<mask>", "rstrip": false, "normalized": false, "special": true})
	}
	special := func(token string) object { return object{"SpecialToken": object{"id": token, "type_id": 0}} }
	sequence := func(name string) object { return object{"Sequence": object{"id": name, "type_id": 0}} }
	token := func(id int) object { return object{"id": pieces[id], "ids": []int{id}, "tokens": []string{pieces[id]}} }
	return object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "decoder": nil,
		"normalizer":    object{"type": "NFKC"},
		"pre_tokenizer": object{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
		"post_processor": object{"type": "TemplateProcessing",
			"single":         []object{special("<s>"), sequence("A"), special("</s>")},
			"pair":           []object{special("<s>"), sequence("A"), special("</s>"), special("</s>"), sequence("B"), special("</s>")},
			"special_tokens": object{"<s>": token(0), "</s>": token(2)}},
		"model": object{"type": "Unigram", "unk_id": 3, "byte_fallback": false, "vocab": vocab},
	}
}
