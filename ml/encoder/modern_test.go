package encoder_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder"
)

func TestModernConfig(t *testing.T) {
	const base = `"model_type":"modernbert","hidden_size":64,"num_attention_heads":4,"num_hidden_layers":5,"intermediate_size":96,"vocab_size":100,"pad_token_id":3`
	local := []bool{false, true, true, false, true}
	for name, c := range map[string]struct {
		text string
		want encoder.Rotary
	}{
		"what is left out": {base, encoder.Rotary{Local: local, Reach: 64, LocalTheta: 10_000, GlobalTheta: 160_000}},
		"before transformers 5": {base + `,"global_attn_every_n_layers":2,"local_attention":8,"global_rope_theta":1e6,"local_rope_theta":2e4,"position_embedding_type":"sans_pos","rope_scaling":null,"head_dim":16`,
			encoder.Rotary{Local: []bool{false, true, false, true, false}, Reach: 4, LocalTheta: 20_000, GlobalTheta: 1_000_000}},
		"transformers 5": {base + `,"layer_types":["sliding_attention","full_attention","full_attention","full_attention","sliding_attention"],` +
			`"rope_parameters":{"full_attention":{"rope_type":"default","rope_theta":160000.0},"sliding_attention":{"rope_type":"default","rope_theta":160000.0,"partial_rotary_factor":1.0}}`,
			encoder.Rotary{Local: []bool{true, false, false, false, true}, Reach: 64, LocalTheta: 160_000, GlobalTheta: 160_000}},
	} {
		got, err := encoder.ParseConfig([]byte("{" + c.text + "}"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r := *got.Rotary; !slices.Equal(r.Local, c.want.Local) || r.Reach != c.want.Reach || r.LocalTheta != c.want.LocalTheta || r.GlobalTheta != c.want.GlobalTheta {
			t.Errorf("%s: %+v, want %+v", name, r, c.want)
		}
		if got.Architecture() != "ModernBertModel" || got.MaxTokens() != 8192 || got.LayerNormEps != 1e-5 || got.HiddenAct != "gelu" {
			t.Errorf("%s: %+v", name, got)
		}
		shapes := got.Shapes()
		if _, first := shapes["layers.0.attn_norm.weight"]; first || len(shapes) != 3+5*6-1 || !slices.Equal(shapes["layers.1.mlp.Wi.weight"], []int{192, 64}) {
			t.Errorf("%s: %v", name, shapes)
		}
	}
	for more, want := range map[string]string{
		`"norm_bias":true`:               "norm_bias is set",
		`"attention_bias":true`:          "attention_bias is set",
		`"mlp_bias":true`:                "mlp_bias is set",
		`"rope_scaling":{"type":"yarn"}`: "rope_scaling is set",
		`"rope_parameters":{"full_attention":{"rope_type":"yarn"}}`:          `rope_type is "yarn"`,
		`"rope_parameters":{"full_attention":{"partial_rotary_factor":0.5}}`: "partial_rotary_factor is 0.5",
		`"rope_parameters":{"full_attention":{"rope_theta":0}}`:              "rope_theta is 0",
		`"rope_parameters":{"rope_theta":{}}`:                                `rope_parameters has "rope_theta"`,
		`"rope_parameters":7`:                                                "rope_parameters",
		`"layer_types":["full_attention"]`:                                   "layer_types has 1 elements, num_hidden_layers is 5",
		`"layer_types":["linear_attention"]`:                                 `layer_types has "linear_attention"`,
		`"global_attn_every_n_layers":0`:                                     "global_attn_every_n_layers is 0",
		`"local_attention":1`:                                                "local_attention is 1",
		`"head_dim":32`:                                                      "head_dim is 32",
		`"hidden_activation":"silu"`:                                         `hidden_act is "silu"`,
		`"num_hidden_layers":2000000000`:                                     "num_hidden_layers is 2000000000",
		`"hidden_size":60`:                                                   "heads are 15 wide",
		`"norm_eps":0`:                                                       "layer_norm_eps is 0",
		`"global_rope_theta":0.5`:                                            "rope_theta is 0.5",
		`"max_position_embeddings":0`:                                        "max_position_embeddings is 0",
	} {
		if _, err := encoder.ParseConfig([]byte("{" + base + "," + more + "}")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", more, err, want)
		}
	}
}
