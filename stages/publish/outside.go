package publish

import (
	"bytes"
	"context"
	_ "embed" // model.py and what it imports
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/onnx"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
)

// What answers with a release in Python: modelPy by the titles of titlesPy and the network of
// networkPy, and by rulesPy where rules answer beside it.
//
//go:embed model.py
var modelPy []byte

//go:embed network.py
var networkPy []byte

//go:embed titles.py
var titlesPy []byte

//go:embed rules.py
var rulesPy []byte

// Files of a release that others answer with.
const (
	onnxFile  = "model.onnx"
	rulesFile = "rules.json"
)

// rulesAnswer reports whether rules answer beside the model of a config.json, or in its place.
func rulesAnswer(config []byte) bool {
	var c struct {
		Sprint struct {
			Beside map[string]float64 `json:"with_rules"`
			Bonus  float64            `json:"rules_bonus"`
			Alone  bool               `json:"rules_alone"`
		} `json:"sprint"`
	}
	return json.Unmarshal(config, &c) == nil && (len(c.Sprint.Beside) > 0 || c.Sprint.Bonus > 0 || c.Sprint.Alone)
}

// phrases are entries of a form, each as its folded words.
type phrases map[string][][]string

func folded(p taxonomy.Patterns) phrases {
	out := phrases{}
	for form, entries := range map[string][]string{"words": p.Words, "prefixes": p.Prefixes, "suffixes": p.Suffixes, "compounds": p.Compounds, "parts": p.Parts} {
		if all := foldEach(entries); len(all) > 0 {
			out[form] = all
		}
	}
	return out
}

// foldEach are the folded words of entries, without those that have none.
func foldEach(entries []string) [][]string {
	out := [][]string{}
	for _, e := range entries {
		if words := taxonomy.Words(e); len(words) > 0 {
			out = append(out, words)
		}
	}
	return out
}

// rulesDocument is the content of rules.json.
type rulesDocument struct {
	Categories int      `json:"categories"` // how many there are
	Languages  []string `json:"languages"`  // that some rule is of
	Negation   struct {
		Words  [][]string `json:"words"`
		Not    [][]string `json:"not"`
		Within int        `json:"within"`
	} `json:"negation"`
	Rules []foldedRule `json:"rules"`
}

type foldedRule struct {
	Category  int     `json:"category"`
	Tag       int     `json:"tag"` // 0 is none
	Weight    float64 `json:"weight"`
	Language  string  `json:"language"` // empty is any
	Negatable bool    `json:"negatable"`
	Patterns  phrases `json:"patterns"`
	Not       phrases `json:"not"`
	Except    phrases `json:"except"`
}

// foldRules writes the rules of a taxonomy as rules.py reads them.
func foldRules(data []byte) ([]byte, error) {
	t, problems := taxonomy.Parse(data)
	if len(problems) > 0 {
		return nil, fmt.Errorf("the taxonomy's rules: %s", problems[0])
	}
	d := rulesDocument{Categories: len(t.Categories), Languages: append([]string{}, t.Languages()...), Rules: []foldedRule{}}
	d.Negation.Words, d.Negation.Not, d.Negation.Within = foldEach(t.Negation.Words), foldEach(t.Negation.Not), t.Negation.Within
	for _, r := range t.Rules {
		d.Rules = append(d.Rules, foldedRule{r.Category, r.Tag, r.Weight, r.Language, r.Negatable && len(t.Negation.Words) > 0, folded(r.Patterns), folded(r.Not), folded(r.Except)})
	}
	return json.Marshal(d)
}

// addONNX writes the classifier as one file, rules left out.
func (s *stage) addONNX(ctx context.Context, model stages.Tree, f *folder) error {
	dir, err := os.MkdirTemp(s.env.Scratch, "model-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := model.Fetch(ctx, dir); err != nil {
		return err
	}
	m, err := bert.Load(dir)
	if err != nil {
		return fmt.Errorf("write %s: %w", onnxFile, err)
	}
	file, err := onnx.Classifier(m)
	if err != nil {
		return stages.Fail(stages.CodePublish, "set onnx: false", "write %s: %w", onnxFile, err)
	}
	r, w := io.Pipe()
	go func() {
		_, err := file.WriteTo(w)
		w.CloseWithError(err)
	}()
	defer r.Close()
	return f.add(onnxFile, r)
}

// addPython adds the small files of Python to those of a release.
func (s *stage) addPython(config []byte, texts map[string][]byte) error {
	for name, code := range map[string][]byte{"model.py": modelPy, "titles.py": titlesPy, "network.py": networkPy} {
		texts[name] = bytes.Clone(code)
	}
	if !rulesAnswer(config) {
		return nil
	}
	rules, err := foldRules(s.env.Taxonomy.Data)
	if err != nil {
		return err
	}
	texts["rules.py"], texts[rulesFile] = bytes.Clone(rulesPy), rules
	return nil
}
