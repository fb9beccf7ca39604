package encoder

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// modernBERT is the model_type of encoders with rotary positions (Warner et al., arXiv 2412.13663).
const modernBERT = "modernbert"

// Rotary is what ModernBERT has in the place of position embeddings: queries and keys are turned
// by angles that grow with their positions (Su et al., arXiv 2104.09864).
type Rotary struct {
	// Local says of each layer whether a token sees only those that are at most Reach away.
	Local []bool
	Reach int
	// LocalTheta and GlobalTheta are the bases of the angles' frequencies in layers of each sort.
	LocalTheta, GlobalTheta float64
}

// The sorts of attention, as layer_types has them.
const (
	fullAttention    = "full_attention"
	slidingAttention = "sliding_attention"
)

// ropeParameters is an element of rope_parameters.
type ropeParameters struct {
	Type    string   `json:"rope_type"`
	Theta   *float64 `json:"rope_theta"`
	Partial *float64 `json:"partial_rotary_factor"`
}

// modernDocument is config.json as ModernBERT has it, today's keys and those of before
// transformers 5.
type modernDocument struct {
	VocabSize    int     `json:"vocab_size"`
	HiddenSize   int     `json:"hidden_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Intermediate int     `json:"intermediate_size"`
	Positions    int     `json:"max_position_embeddings"`
	Eps          float64 `json:"norm_eps"`
	Activation   string  `json:"hidden_activation"`
	Pad          int     `json:"pad_token_id"`
	HeadDim      *int    `json:"head_dim"`

	NormBias      bool `json:"norm_bias"`
	AttentionBias bool `json:"attention_bias"`
	MLPBias       bool `json:"mlp_bias"`

	Window      int                       `json:"local_attention"`
	LayerTypes  []string                  `json:"layer_types"`
	GlobalEvery int                       `json:"global_attn_every_n_layers"`
	GlobalTheta float64                   `json:"global_rope_theta"`
	LocalTheta  float64                   `json:"local_rope_theta"`
	Rope        map[string]ropeParameters `json:"rope_parameters"`
	Scaling     json.RawMessage           `json:"rope_scaling"`
}

// parseModern reads the config.json of a ModernBERT. What is left out is as transformers has it.
func parseModern(data []byte) (Config, error) {
	k := kinds()[modernBERT]
	d := modernDocument{
		VocabSize: k.vocab, Pad: k.pad, HiddenSize: 768, Layers: 22, Heads: 12, Intermediate: 1152, Positions: 8192, Eps: 1e-5, Activation: "gelu",
		Window: 128, GlobalEvery: 3, GlobalTheta: 160_000, LocalTheta: 10_000,
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	r, err := d.rotary()
	if err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	c := Config{
		ModelType: modernBERT, VocabSize: d.VocabSize, HiddenSize: d.HiddenSize, NumHiddenLayers: d.Layers, NumAttentionHeads: d.Heads, IntermediateSize: d.Intermediate,
		MaxPositionEmbeddings: d.Positions, LayerNormEps: d.Eps, HiddenAct: d.Activation, PadTokenID: d.Pad, Rotary: r,
	}
	return c, c.check()
}

// rotary refuses what no released encoder has, by the name of its key.
func (d *modernDocument) rotary() (*Rotary, error) {
	var bad []string
	for _, x := range []struct {
		key string
		is  bool
	}{{"norm_bias", d.NormBias}, {"attention_bias", d.AttentionBias}, {"mlp_bias", d.MLPBias}, {"rope_scaling", len(d.Scaling) > 0 && string(d.Scaling) != "null"}} {
		if x.is {
			bad = append(bad, x.key+" is set, which is not supported")
		}
	}
	if d.HeadDim != nil && *d.HeadDim*d.Heads != d.HiddenSize {
		bad = append(bad, fmt.Sprintf("head_dim is %d; only hidden_size/num_attention_heads is supported", *d.HeadDim))
	}
	if d.Window < 2 || d.Window > maxVocab {
		bad = append(bad, fmt.Sprintf("local_attention is %d, between 2 and %d is needed", d.Window, maxVocab))
	}
	r := &Rotary{Reach: d.Window / 2, LocalTheta: d.LocalTheta, GlobalTheta: d.GlobalTheta}
	for name, p := range d.Rope {
		theta := &r.GlobalTheta
		switch {
		case name == slidingAttention:
			theta = &r.LocalTheta
		case name != fullAttention:
			bad = append(bad, fmt.Sprintf("rope_parameters has %q, known are %s and %s", name, fullAttention, slidingAttention))
		}
		if p.Type != "" && p.Type != "default" {
			bad = append(bad, fmt.Sprintf("rope_type is %q; only default is supported", p.Type))
		}
		if p.Partial != nil && *p.Partial != 1 {
			bad = append(bad, fmt.Sprintf("partial_rotary_factor is %g; only 1 is supported", *p.Partial))
		}
		if p.Theta != nil {
			*theta = *p.Theta
		}
	}
	if len(d.LayerTypes) == 0 && d.GlobalEvery >= 1 && d.Layers <= maxLayers {
		for l := range d.Layers {
			r.Local = append(r.Local, l%d.GlobalEvery != 0)
		}
	} else if d.GlobalEvery < 1 {
		bad = append(bad, fmt.Sprintf("global_attn_every_n_layers is %d", d.GlobalEvery))
	}
	for _, t := range d.LayerTypes {
		if t != fullAttention && t != slidingAttention {
			bad = append(bad, fmt.Sprintf("layer_types has %.40q, known are %s and %s", t, fullAttention, slidingAttention))
			break
		}
		r.Local = append(r.Local, t == slidingAttention)
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		return nil, fmt.Errorf("%s", strings.Join(slices.Compact(bad), "; "))
	}
	return r, nil
}

// problems are what does not fit the rest of a config.
func (r *Rotary) problems(c Config) (bad []string) {
	if len(r.Local) != c.NumHiddenLayers && c.NumHiddenLayers <= maxLayers {
		bad = append(bad, fmt.Sprintf("layer_types has %d elements, num_hidden_layers is %d", len(r.Local), c.NumHiddenLayers))
	}
	for _, theta := range []float64{r.LocalTheta, r.GlobalTheta} {
		if !(theta >= 1 && theta <= math.MaxFloat32) {
			bad = append(bad, fmt.Sprintf("rope_theta is %g, at least 1 is needed", theta))
		}
	}
	if c.NumAttentionHeads > 0 && c.HiddenSize/c.NumAttentionHeads%2 != 0 {
		bad = append(bad, fmt.Sprintf("heads are %d wide; rotary positions need an even number", c.HiddenSize/c.NumAttentionHeads))
	}
	return bad
}

// modernShapes is Shapes of a ModernBERT. The first layer has no norm before attention: that of
// the embeddings stands there.
func (c Config) modernShapes() map[string][]int {
	h, f := c.HiddenSize, c.IntermediateSize
	m := map[string][]int{c.WordEmbeddings(): {c.VocabSize, h}, "embeddings.norm.weight": {h}, "final_norm.weight": {h}}
	for i := range c.NumHiddenLayers {
		l := fmt.Sprintf("layers.%d.", i)
		if i > 0 {
			m[l+"attn_norm.weight"] = []int{h}
		}
		m[l+"attn.Wqkv.weight"], m[l+"attn.Wo.weight"] = []int{3 * h, h}, []int{h, h}
		m[l+"mlp_norm.weight"], m[l+"mlp.Wi.weight"], m[l+"mlp.Wo.weight"] = []int{h}, []int{2 * f, h}, []int{h, f}
	}
	return m
}
