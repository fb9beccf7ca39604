package bert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Prune returns the model with the tokens of some texts alone, and those that its tokenizer
// needs: the rows of other tokens are left out of the embedding table, and their pieces of the
// vocabulary. On these texts it answers as before to the last bit. Weights are shared with m.
// old has, by token, the one of m.
func (m *Model) Prune(texts []Text) (pruned *Model, old []int32, err error) {
	config := map[string]any{}
	if err := json.Unmarshal(m.configJSON, &config); err != nil {
		return nil, nil, fmt.Errorf("config.json of the encoder: %w", err)
	}
	used := make([]bool, m.Spec.Encoder.VocabSize)
	for id := range min(m.Spec.Encoder.PadTokenID+1, len(used)) {
		used[id] = true // positions are counted from that of padding, which thus stays where it is
	}
	named := map[string]int{} // pad_token_id, bos_token_id, ...
	for key, v := range config {
		if id, ok := v.(float64); ok && strings.HasSuffix(key, "_token_id") && id >= 0 && int(id) < len(used) {
			named[key], used[int(id)] = int(id), true
		}
	}
	for _, t := range texts {
		for _, id := range t.IDs {
			used[id] = true
		}
	}
	tokenizer, err := m.Tokenizer.Prune(func(id int32) bool { return used[id] })
	if err != nil {
		return nil, nil, err
	}
	for key, id := range named {
		config[key], _ = slices.BinarySearch(tokenizer.Old, int32(id)) //nolint:gosec // below the vocabulary's size
	}
	out := *m
	out.Tokenizer, out.Spec.Encoder.VocabSize = tokenizer.Tokenizer, len(tokenizer.Old)
	config["vocab_size"] = len(tokenizer.Old)
	if out.configJSON, err = json.Marshal(config); err != nil {
		return nil, nil, err
	}
	out.Params = slices.Clone(m.Params)
	i := slices.IndexFunc(m.Params, func(p Param) bool { return p.Name == WordEmbeddings })
	whole, width := m.Params[i], m.Spec.Encoder.HiddenSize
	table := make([]float32, 0, len(tokenizer.Old)*width)
	for _, id := range tokenizer.Old {
		table = append(table, whole.Data[int(id)*width:(int(id)+1)*width]...)
	}
	out.Params[i].Data, out.Params[i].Shape = table, []int{len(tokenizer.Old), width}
	return &out, tokenizer.Old, nil
}
