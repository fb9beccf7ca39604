package encodertest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// swedishSize is the number of words of KB/bert-base-swedish-cased.
const swedishSize = 50325

// Swedish is the folder of a small BERT, three layers of 64, with a cased
// vocabulary of the shape of KB/bert-base-swedish-cased: as many ids, the special
// ones in the same places, and words in Swedish spelling all over the range. Its
// weights are Noise, so every machine makes the same ones and no file holds
// them. act is config.json's hidden_act.
func Swedish(t testing.TB, act string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := json.Marshal(map[string]any{
		"model_type": "bert", "vocab_size": swedishSize, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128,
		"max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": act, "pad_token_id": 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := encoder.ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	weights := weightsOf(t, c, func(name string, data []float32) {
		Noise(name, data)
		if strings.HasSuffix(name, "LayerNorm.weight") {
			for i := range data {
				data[i]++
			}
		}
	})
	write(t, dir, map[string][]byte{
		"config.json": text, "model.safetensors": weights, "vocab.txt": []byte(swedishVocab()),
		"tokenizer_config.json": []byte(`{"do_lower_case": false, "strip_accents": false}`),
	})
	return dir
}

// Noise fills data with near-normal values of mean 0 and deviation 0.144: sums of
// the four bytes of a hash of name and index, so exact in float32 everywhere.
func Noise(name string, data []float32) {
	h := fnv.New32a()
	h.Write([]byte(name))
	seed := h.Sum32()
	for i := range data {
		x := seed + uint32(i)*0x9e3779b9 //nolint:gosec // wraps on purpose
		x = (x ^ x>>16) * 0x7feb352d
		x = (x ^ x>>15) * 0x846ca68b
		x ^= x >> 16
		sum := int(x&0xff) + int(x>>8&0xff) + int(x>>16&0xff) + int(x>>24)
		data[i] = float32(sum-510) / 1024
	}
}

const swedishWords = `Brand i centrala Stockholm Polisen söker vittnen efter rånet Göteborg Regeringen föreslår höjd skatt på kärnkraft
Sjukhuset Malmö Västra Götaland Örebro Åre Älvsbyn skog bostad hus räddningstjänsten larmades natten morgonen kvällen olycka E4 lastbil
match mål segern VM guld final laget tränaren börsen räntan bolaget vinst varslar anställda storm snö varning regn SMHI domen åtalas
fängelse mord åklagaren och att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan när år säger
hon under också efter eller nu sin där vid mot ska skulle kommer ut får finns vara hade alla andra mycket än här då sedan över bara in`

const swedishPieces = `s a e r n t d l m g k v ö ä å en et ar or er na rna ens ets ing het skap else are ade ande ning tion isk lig ska dom brand kraft stjänst`

// swedishVocab puts the tokens far apart and fills the rest.
func swedishVocab() string {
	tokens := []string{}
	for _, l := range "abcdefghijklmnopqrstuvwxyzåäöéABCDEFGHIJKLMNOPQRSTUVWXYZÅÄÖÉ0123456789.,:;!?-–()'\"%&/+" {
		tokens = append(tokens, string(l), "##"+string(l))
	}
	seen := map[string]bool{}
	for _, t := range tokens {
		seen[t] = true
	}
	add := func(t string) {
		if !seen[t] {
			seen[t], tokens = true, append(tokens, t)
		}
	}
	for _, w := range strings.Fields(swedishWords) {
		add(w)
	}
	for _, p := range strings.Fields(swedishPieces) {
		add("##" + p)
	}
	const specials = 5
	lines := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	apart := (swedishSize - specials) / len(tokens)
	for i := range swedishSize - specials {
		if at := i / apart; i%apart == 0 && at < len(tokens) {
			lines = append(lines, tokens[at])
		} else {
			lines = append(lines, fmt.Sprintf("[unused%d]", i))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
