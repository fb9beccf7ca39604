package encodertest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// ModernBERT is the folder of a small ModernBERT, four layers of 32 of which two see tokens at
// most 8 away, with a byte pair encoding. The names of its tensors stand behind prefix. Its
// weights are Noise, so every machine makes the same ones.
func ModernBERT(t testing.TB, prefix string) string {
	t.Helper()
	dir := t.TempDir()
	vocab, merges := modernVocab()
	text, err := json.Marshal(map[string]any{
		"model_type": "modernbert", "vocab_size": len(vocab) + 8, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 48,
		"max_position_embeddings": 192, "norm_eps": 1e-5, "hidden_activation": "gelu", "local_attention": 16, "global_attn_every_n_layers": 3,
		"global_rope_theta": 160000.0, "local_rope_theta": 10000.0, "norm_bias": false, "attention_bias": false, "mlp_bias": false, "position_embedding_type": "sans_pos",
		"pad_token_id": vocab["[PAD]"], "bos_token_id": vocab["[CLS]"], "eos_token_id": vocab["[SEP]"], "cls_token_id": vocab["[CLS]"], "sep_token_id": vocab["[SEP]"],
		"architectures": []string{"ModernBertModel"}, "classifier_pooling": "mean",
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := encoder.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	weights := weightsUnder(t, prefix, c, func(name string, data []float32) {
		Noise(name, data)
		if strings.HasSuffix(name, "norm.weight") {
			for i := range data {
				data[i]++
			}
		}
	})
	tokenizer, err := json.Marshal(modernTokenizer(vocab, merges))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string][]byte{"config.json": text, "model.safetensors": weights, "tokenizer.json": tokenizer})
	return dir
}

// modernVocab is the bytes as characters, and the words of swedishWords with the merges that make
// them, letter by letter.
func modernVocab() (vocab map[string]int, merges [][2]string) {
	vocab = map[string]int{}
	add := func(token string) {
		if _, ok := vocab[token]; !ok {
			vocab[token] = len(vocab)
		}
	}
	character := map[byte]string{}
	next := rune(256) // of bytes that cannot be printed
	for b := range 256 {
		r := rune(b)
		if b <= ' ' || b >= 0x7f && b <= 0xa0 || b == 0xad {
			r, next = next, next+1
		}
		character[byte(b)] = string(r)
		add(string(r))
	}
	for _, w := range strings.Fields(swedishWords) {
		token := character[' ']
		for _, b := range []byte(w) {
			if _, ok := vocab[token+character[b]]; !ok {
				merges = append(merges, [2]string{token, character[b]})
			}
			token += character[b]
			add(token)
		}
	}
	for _, s := range []string{"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"} {
		add(s)
	}
	return vocab, merges
}

// modernTokenizer is the tokenizer.json of a vocabulary.
func modernTokenizer(vocab map[string]int, merges [][2]string) map[string]any {
	type object = map[string]any
	var added []object
	for _, s := range []string{"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"} {
		added = append(added, object{"id": vocab[s], "content": s, "single_word": false, "lstrip": s == "[MASK]", "rstrip": false, "normalized": false, "special": true})
	}
	added = append(added, object{"id": len(vocab), "content": "   ", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false})
	special := func(token string) object { return object{"SpecialToken": object{"id": token, "type_id": 0}} }
	sequence := func(name string) object { return object{"Sequence": object{"id": name, "type_id": 0}} }
	token := func(s string) object { return object{"id": s, "ids": []int{vocab[s]}, "tokens": []string{s}} }
	return object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "decoder": nil,
		"normalizer":    object{"type": "NFC"},
		"pre_tokenizer": object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
		"post_processor": object{"type": "TemplateProcessing",
			"single":         []object{special("[CLS]"), sequence("A"), special("[SEP]")},
			"pair":           []object{special("[CLS]"), sequence("A"), special("[SEP]"), sequence("B"), special("[SEP]")},
			"special_tokens": object{"[CLS]": token("[CLS]"), "[SEP]": token("[SEP]")}},
		"model": object{"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
			"vocab": vocab, "merges": merges},
	}
}
