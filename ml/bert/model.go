package bert

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/tokenize"
)

// Model is a network on the host: its shape, its weights and its tokenizer.
type Model struct {
	Spec      Spec
	Params    []Param // in graph order: encoder, then heads
	Tokenizer *tokenize.Tokenizer

	configJSON []byte
	prefix     string           // of the source's tensor names
	unused     []encoder.Tensor // of the source, not used by the graph
	half       bool             // weights are those that fp16 has, and are kept so
}

// FromEncoder puts new heads, seeded, on a pretrained encoder. A pooler that
// the pooling does not use stays in the file unchanged.
func FromEncoder(e *encoder.Encoder, s Spec, seed uint64) (*Model, error) {
	s.Encoder = e.Config
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Pooling == Pooler && !e.HasPooler() {
		return nil, errNoPooler
	}
	m := &Model{Spec: s, Tokenizer: e.Tokenizer, configJSON: e.ConfigJSON, prefix: e.Prefix}
	if n := len(e.Tokenizer.Encode(nil, s.Prompt, s.Encoder.MaxTokens())); s.Prompt != "" && n > s.MaxLength/2 {
		return nil, fmt.Errorf("the prompt has %d tokens, more than half of the %d of a text", n, s.MaxLength)
	}
	if err := m.takeEncoder(e); err != nil {
		return nil, err
	}
	m.Params = append(m.Params, newHeads(s, seed)...)
	return m, nil
}

var errNoPooler = errors.New("the encoder has no pooler; use pooling mean or cls")

// takeEncoder takes over the parameters that the graph has, and what stands in the file
// beside them: a pooler that the pooling does not use, so that who loads the encoder still
// finds it.
func (m *Model) takeEncoder(e *encoder.Encoder) error {
	for _, src := range m.Spec.body().sources(m.Spec.Pooling == Pooler) {
		p, err := src.read(e.Tensor)
		if err != nil {
			return err
		}
		m.Params = append(m.Params, p)
	}
	if m.Spec.Pooling == Pooler || !e.HasPooler() {
		return nil
	}
	for _, name := range []string{"pooler.dense.weight", "pooler.dense.bias"} {
		if t, ok := e.Tensor(name); ok {
			t.Name = e.Prefix + name
			m.unused = append(m.unused, t)
		}
	}
	return nil
}

// sprintSection is what config.json says under "sprint".
type sprintSection struct {
	Format     int        `json:"format"`
	Categories []Category `json:"categories"`
	Pooling    string     `json:"pooling"`
	HeadHidden int        `json:"head_hidden,omitempty"`
	MaxLength  int        `json:"max_length"`
	Text       []string   `json:"text"`
	Prefix     string     `json:"prefix,omitempty"`
	Prompt     string     `json:"prompt,omitempty"` // came with format 4

	RulesBeside map[string]float64 `json:"with_rules,omitempty"`
	// Temperatures came with format 2; a model without them is still of format 1.
	Temperatures []float64 `json:"temperatures,omitempty"`
	// Of models of one label per row, which came with format 3: "single", whether
	// there are tensors heads.none.score.*, the temperature, and the bonus of categories
	// that rules name.
	Labels      string  `json:"labels,omitempty"`
	None        bool    `json:"none,omitempty"`
	Temperature float64 `json:"temperature,omitempty"`
	RulesBonus  float64 `json:"rules_bonus,omitempty"`
	// Format 4: "linear" where heads are, and whether the rules answer alone.
	Head       string `json:"head,omitempty"`
	RulesAlone bool   `json:"rules_alone,omitempty"`
}

// What sprintSection.Labels says of single models, and sprintSection.Head of linear heads.
const (
	labelsSingle = "single"
	headLinear   = "linear"
)

// newestFormat is the highest that is written and read.
const newestFormat = 4

// section is what a folder says of a model.
func (s Spec) section(prefix string) sprintSection {
	out := sprintSection{
		Format: s.format(), Categories: s.Categories, Pooling: s.Pooling, HeadHidden: s.HeadHidden, MaxLength: s.MaxLength, Text: s.Text, Prompt: s.Prompt, Prefix: prefix,
		RulesBeside: s.RulesBeside, Temperatures: s.Temperatures, None: s.None, Temperature: s.Temperature, RulesBonus: s.RulesBonus, RulesAlone: s.RulesAlone,
	}
	if s.Single {
		out.Labels = labelsSingle
	}
	if s.Linear {
		out.Head = headLinear
	}
	return out
}

// spec is what a section says, checked but for what Spec.check does.
func (c *sprintSection) spec(e encoder.Config) (Spec, error) {
	if c.Labels != "" && c.Labels != labelsSingle {
		return Spec{}, fmt.Errorf("labels are %q; this sprint knows %s", c.Labels, labelsSingle)
	}
	if c.Head != "" && c.Head != headLinear {
		return Spec{}, fmt.Errorf("the head is %q; this sprint knows %s", c.Head, headLinear)
	}
	return Spec{
		Encoder: e, Categories: c.Categories, Pooling: c.Pooling, HeadHidden: c.HeadHidden, MaxLength: c.MaxLength, Text: c.Text, Prompt: c.Prompt,
		RulesBeside: c.RulesBeside, Temperatures: c.Temperatures, Single: c.Labels != "", None: c.None, Temperature: c.Temperature, RulesBonus: c.RulesBonus,
		Linear: c.Head != "", RulesAlone: c.RulesAlone,
	}, nil
}

// format is the least that a reader of the section must know.
func (s Spec) format() int {
	switch {
	case s.Linear || s.RulesAlone || s.Prompt != "":
		return 4
	case s.Single:
		return 3
	case s.Temperatures != nil:
		return 2
	}
	return 1
}

// Files of a model folder.
const (
	weightsFile   = "model.safetensors"
	configFile    = "config.json"
	tokenizerFile = "tokenizer.json"
	vocabFile     = "vocab.txt"
	settingsFile  = "tokenizer_config.json"
)

// Save writes the model in the Hugging Face layout: the encoder's tensors as
// they are named in its source, the heads under heads.*. Equal models give
// equal bytes.
func (m *Model) Save(dir string) error {
	config := map[string]any{}
	if err := json.Unmarshal(m.configJSON, &config); err != nil {
		return fmt.Errorf("config.json of the encoder: %w", err)
	}
	delete(config, "_name_or_path") // a path of whoever made the encoder
	config["architectures"] = []string{m.Spec.Encoder.Architecture()}
	config["sprint"] = m.Spec.section(m.prefix)
	if m.half {
		config["torch_dtype"] = "float16"
	}
	kept, err := m.kept()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, weightsFile))
	if err != nil {
		return err
	}
	err = encoder.WriteSafetensors(f, kept, map[string]string{"format": "pt"})
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", weightsFile, err)
	}
	files := map[string][]byte{configFile: append(text, '\n'), tokenizerFile: m.Tokenizer.JSON(), vocabFile: m.Tokenizer.Vocab(), settingsFile: m.Tokenizer.Settings(m.Spec.MaxLength)}
	for name, data := range files {
		if len(data) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Tensors returns the model as the tensors of its file.
func (m *Model) Tensors() []encoder.Tensor {
	by := map[string]Param{}
	for _, p := range m.Params {
		by[p.Name] = p
	}
	var out []encoder.Tensor
	for _, src := range m.Spec.body().sources(m.Spec.Pooling == Pooler) {
		out = append(out, src.write(by[src.param], m.prefix)...)
	}
	out = append(out, m.unused...)
	return append(out, headTensors(m.Spec, by)...)
}

// Load reads a folder that Save wrote.
func Load(dir string) (*Model, error) {
	text, err := encoder.ReadConfig(dir)
	if err != nil {
		return nil, fmt.Errorf("load the model: %w", err)
	}
	var config struct {
		Sprint *sprintSection `json:"sprint"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("load the model in %s: %s: %w", dir, configFile, err)
	}
	if config.Sprint == nil {
		return nil, fmt.Errorf("load the model in %s: %s has no section sprint: it is an encoder, not a classifier", dir, configFile)
	}
	if config.Sprint.Format < 1 || config.Sprint.Format > newestFormat {
		return nil, fmt.Errorf("load the model in %s: format %d; this sprint reads 1 to %d", dir, config.Sprint.Format, newestFormat)
	}
	e, err := encoder.Load(dir)
	if err != nil {
		return nil, err
	}
	m := &Model{Tokenizer: e.Tokenizer, configJSON: e.ConfigJSON, prefix: config.Sprint.Prefix, half: e.Half()}
	if m.Spec, err = config.Sprint.spec(e.Config); err == nil {
		err = m.Spec.check()
	}
	if err != nil {
		return nil, fmt.Errorf("load the model in %s: %w", dir, err)
	}
	if err := m.takeEncoder(e); err != nil {
		return nil, fmt.Errorf("load the model in %s: %w", dir, err)
	}
	heads, err := readHeads(m.Spec, e.Weights.Tensor)
	if err != nil {
		return nil, fmt.Errorf("load the model in %s: %w", dir, err)
	}
	m.Params = append(m.Params, heads...)
	return m, nil
}

// Encode turns a row's fields into token ids and type ids; second is empty for
// a text of one field.
func (m *Model) Encode(title, description string) (ids, types []int32) {
	x := m.text(title, description)
	if x.Second != "" {
		return m.Tokenizer.EncodePair(nil, nil, x.First, x.Second, m.Spec.MaxLength)
	}
	ids = m.Tokenizer.Encode(nil, x.First, m.Spec.MaxLength)
	return ids, make([]int32, len(ids))
}

// EncodeTexts is Encode for rows of any kind, whose fields are as given.
func EncodeTexts[R any](m *Model, rows []R, fields func(row R) (title, description string)) []Text {
	out := make([]Text, len(rows))
	for i, r := range rows {
		out[i].IDs, out[i].Types = m.Encode(fields(r))
	}
	return out
}

// EncodeAll is Encode for many rows, title and description each, on all cores.
func (m *Model) EncodeAll(rows []tokenize.Text) *tokenize.Arena {
	texts := make([]tokenize.Text, len(rows))
	for i, r := range rows {
		texts[i] = m.text(r.First, r.Second)
	}
	return m.Tokenizer.EncodeAll(texts, m.Spec.MaxLength, 0)
}

// text is what the network reads of a row.
func (m *Model) text(title, description string) tokenize.Text {
	if slices.Contains(m.Spec.Text, "description") && strings.TrimSpace(description) != "" {
		return tokenize.Text{First: m.Spec.Prompt + title, Second: description}
	}
	return tokenize.Text{First: m.Spec.Prompt + title}
}
