package encoder

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Config is the part of a Hugging Face config.json that decides the mathematics of a
// BERT, RoBERTa or ModernBERT encoder; other keys are kept in Encoder.ConfigJSON.
type Config struct {
	ModelType             string  `json:"model_type"`
	VocabSize             int     `json:"vocab_size"`
	HiddenSize            int     `json:"hidden_size"`
	NumHiddenLayers       int     `json:"num_hidden_layers"`
	NumAttentionHeads     int     `json:"num_attention_heads"`
	IntermediateSize      int     `json:"intermediate_size"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings"`
	TypeVocabSize         int     `json:"type_vocab_size"`
	LayerNormEps          float64 `json:"layer_norm_eps"`
	HiddenAct             string  `json:"hidden_act"`
	PositionEmbeddingType string  `json:"position_embedding_type"`
	PadTokenID            int     `json:"pad_token_id"`
	Rotary                *Rotary `json:"rotary,omitempty"` // of ModernBERT alone; no key of the file
}

// kind is a model_type that is followed.
type kind struct {
	architecture string // transformers' class of the encoder alone
	vocab, pad   int    // transformers' defaults
	// offset says that positions are counted from behind pad_token_id, as RoBERTa does
	// (fairseq kept the place of padding free).
	offset bool
}

func kinds() map[string]kind {
	return map[string]kind{
		"bert":        {"BertModel", 30522, 0, false},
		"roberta":     {"RobertaModel", 50265, 1, true},
		"xlm-roberta": {"XLMRobertaModel", 30522, 1, true},
		"camembert":   {"CamembertModel", 30522, 1, true},
		modernBERT:    {"ModernBertModel", 50368, 50283, false},
	}
}

// Architecture is what transformers calls the encoder.
func (c Config) Architecture() string { return kinds()[c.ModelType].architecture }

// PositionOffset is the row of the position embeddings that a text's first token has.
func (c Config) PositionOffset() int {
	if kinds()[c.ModelType].offset {
		return c.PadTokenID + 1
	}
	return 0
}

// MaxTokens is the longest text that the position embeddings are enough for.
func (c Config) MaxTokens() int { return c.MaxPositionEmbeddings - c.PositionOffset() }

// WordEmbeddings is the name of the tensor of word embeddings, without a prefix.
func (c Config) WordEmbeddings() string {
	if c.Rotary != nil {
		return "embeddings.tok_embeddings.weight"
	}
	return "embeddings.word_embeddings.weight"
}

// ParseConfig reads config.json and checks that it is a BERT, RoBERTa or ModernBERT encoder whose
// sizes fit each other. Keys that transformers leaves out mean its defaults.
func ParseConfig(data []byte) (Config, error) {
	named := struct {
		ModelType string `json:"model_type"`
	}{"bert"}
	if err := json.Unmarshal(data, &named); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	if named.ModelType == modernBERT {
		return parseModern(data)
	}
	k := kinds()[named.ModelType]
	c := Config{ // the defaults of transformers
		ModelType: "bert", VocabSize: k.vocab, PadTokenID: k.pad, HiddenSize: 768, NumHiddenLayers: 12, NumAttentionHeads: 12, IntermediateSize: 3072,
		MaxPositionEmbeddings: 512, TypeVocabSize: 2, LayerNormEps: 1e-12, HiddenAct: "gelu", PositionEmbeddingType: "absolute",
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	return c, c.check()
}

// Size caps: far above any BERT, low enough that no product overflows.
const (
	maxWidth  = 1 << 16
	maxLayers = 1 << 10
	maxVocab  = 1 << 22
)

func (c Config) check() error {
	var bad []string
	within := func(key string, v, most int) {
		if v < 1 || v > most {
			bad = append(bad, fmt.Sprintf("%s is %d, between 1 and %d is needed", key, v, most))
		}
	}
	if known := kinds(); known[c.ModelType].architecture == "" {
		bad = append(bad, fmt.Sprintf("model_type is %q; supported are %s", c.ModelType, strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
	}
	within("vocab_size", c.VocabSize, maxVocab)
	within("hidden_size", c.HiddenSize, maxWidth)
	within("num_hidden_layers", c.NumHiddenLayers, maxLayers)
	within("num_attention_heads", c.NumAttentionHeads, maxWidth)
	within("intermediate_size", c.IntermediateSize, maxWidth)
	within("max_position_embeddings", c.MaxPositionEmbeddings, maxVocab)
	if c.Rotary == nil {
		within("type_vocab_size", c.TypeVocabSize, maxWidth)
	}
	if off := c.PositionOffset(); off < 0 || off >= c.MaxPositionEmbeddings || off > maxVocab {
		bad = append(bad, fmt.Sprintf("pad_token_id %d leaves none of %d positions", c.PadTokenID, c.MaxPositionEmbeddings))
	}
	if c.NumAttentionHeads > 0 && c.HiddenSize%c.NumAttentionHeads != 0 {
		bad = append(bad, fmt.Sprintf("hidden_size %d is no multiple of num_attention_heads %d", c.HiddenSize, c.NumAttentionHeads))
	}
	if !(c.LayerNormEps > 0 && c.LayerNormEps < 1) {
		bad = append(bad, fmt.Sprintf("layer_norm_eps is %g", c.LayerNormEps))
	}
	if known := []string{"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"}; !slices.Contains(known, c.HiddenAct) {
		bad = append(bad, fmt.Sprintf("hidden_act is %q, known are %s", c.HiddenAct, strings.Join(known, ", ")))
	}
	if c.Rotary != nil {
		bad = append(bad, c.Rotary.problems(c)...)
	}
	if c.PositionEmbeddingType != "absolute" && c.PositionEmbeddingType != "" {
		bad = append(bad, fmt.Sprintf("position_embedding_type is %q; only absolute is supported", c.PositionEmbeddingType))
	}
	if len(bad) > 0 {
		return fmt.Errorf("config.json: %s", strings.Join(bad, "; "))
	}
	return nil
}

// Shapes lists the tensors of the encoder by name, without a prefix, as
// transformers' BertModel or ModernBertModel names them. pooler.* is optional in a file.
func (c Config) Shapes() map[string][]int {
	if c.Rotary != nil {
		return c.modernShapes()
	}
	h, f := c.HiddenSize, c.IntermediateSize
	m := map[string][]int{
		"embeddings.word_embeddings.weight":       {c.VocabSize, h},
		"embeddings.position_embeddings.weight":   {c.MaxPositionEmbeddings, h},
		"embeddings.token_type_embeddings.weight": {c.TypeVocabSize, h},
		"embeddings.LayerNorm.weight":             {h},
		"embeddings.LayerNorm.bias":               {h},
		"pooler.dense.weight":                     {h, h},
		"pooler.dense.bias":                       {h},
	}
	for i := range c.NumHiddenLayers {
		l := fmt.Sprintf("encoder.layer.%d.", i)
		for _, part := range []string{"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"} {
			m[l+part+".weight"], m[l+part+".bias"] = []int{h, h}, []int{h}
		}
		m[l+"intermediate.dense.weight"], m[l+"intermediate.dense.bias"] = []int{f, h}, []int{f}
		m[l+"output.dense.weight"], m[l+"output.dense.bias"] = []int{h, f}, []int{h}
		for _, norm := range []string{"attention.output.LayerNorm", "output.LayerNorm"} {
			m[l+norm+".weight"], m[l+norm+".bias"] = []int{h}, []int{h}
		}
	}
	return m
}
