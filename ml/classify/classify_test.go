package classify

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/taxonomy"
)

const taxonomyText = `categories:
  - name: emergencies
    tags: [fire]
    rules: [{words: [fire], tag: fire, weight: 0.4}]
  - name: sports
    rules: [{words: [cup]}]
`

func parsed(t *testing.T) *taxonomy.Taxonomy {
	t.Helper()
	tax, problems := taxonomy.Parse([]byte(taxonomyText))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return tax
}

// fixed answers the same for every text and counts them.
type fixed struct {
	scores []float32
	tags   []int32
	texts  int
}

func (f *fixed) Predict(_ context.Context, texts []Text) ([]Prediction, error) {
	f.texts += len(texts)
	out := make([]Prediction, len(texts))
	for i := range out {
		out[i] = Prediction{Scores: f.scores, Tags: f.tags}
	}
	return out, nil
}

func line(t *testing.T, a Answer) string {
	t.Helper()
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAnswers holds the shape that outside programs read.
func TestAnswers(t *testing.T) {
	tax := parsed(t)
	model := &fixed{scores: []float32{0.93456, -0.2}, tags: []int32{1, 0}}
	for name, c := range map[string]struct {
		c    *Classifier
		text string
		all  bool
		want string
	}{
		"model":          {&Classifier{Taxonomy: tax, Model: model, Name: "news@3", Thresholds: []float64{0.5, 0.5}}, "x", false, `{"categories":{"emergencies":{"score":0.9346,"tag":"fire"}},"top":"emergencies","source":"model","model":"news@3"}`},
		"all":            {&Classifier{Taxonomy: tax, Model: model, Name: "news@3", Thresholds: []float64{0.5, 0.5}}, "x", true, `{"categories":{"emergencies":{"score":0.9346,"tag":"fire"},"sports":{"score":-0.2,"tag":""}},"top":"emergencies","source":"model","model":"news@3"}`},
		"nothing passes": {&Classifier{Taxonomy: tax, Model: model, Thresholds: []float64{0.95, 0.5}}, "x", false, `{"categories":{},"top":null,"source":"model","model":null}`},
		"keywords":       {New(tax), "Fire at the cup", false, `{"categories":{"emergencies":{"score":0.4,"tag":"fire"},"sports":{"score":1,"tag":""}},"top":"sports","source":"keywords","model":null}`},
		"no keyword":     {New(tax), "calm", true, `{"categories":{"emergencies":{"score":0,"tag":""},"sports":{"score":0,"tag":""}},"top":null,"source":"keywords","model":null}`},
	} {
		answers, err := c.c.Classify(t.Context(), []Text{{Title: c.text}}, c.all)
		if err != nil {
			t.Fatal(err)
		}
		if got := line(t, answers[0]); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestScoresThatAreNoNumbers: a text without a finite score is refused alone, and the
// others keep to [-1,1].
func TestScoresThatAreNoNumbers(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		score   float32
		want    float64
		problem string
	}{
		"not a number":   {nan, 0, "emergencies is NaN"},
		"infinite":       {inf, 0, "emergencies is +Inf"},
		"minus infinite": {-inf, 0, "emergencies is -Inf"},
		"too large":      {1.5, 1, ""},
		"too small":      {-3e38, -1, ""},
		"just below 0":   {-0.00001, 0, ""},
		"half a digit":   {0.00025, 0.0003, ""},
	} {
		classifier := &Classifier{Taxonomy: parsed(t), Model: &fixed{scores: []float32{c.score, 0}, tags: []int32{0, 0}}, Thresholds: []float64{-2, -2}}
		answers, err := classifier.Classify(t.Context(), make([]Text, 1), true)
		if err != nil {
			t.Fatal(err)
		}
		a := answers[0]
		if got := a.Categories["emergencies"].Score; got != c.want || math.Signbit(got) != (c.want < 0) || !strings.Contains(a.Problem, c.problem) || (a.Problem == "") != (c.problem == "") {
			t.Errorf("%s: score %v, problem %q; want %v and %q", name, got, a.Problem, c.want, c.problem)
		}
	}
}

// TestModelWasUsed: the chain asks the model, for every text, and only then.
func TestModelWasUsed(t *testing.T) {
	model := &fixed{scores: []float32{0, 0}, tags: []int32{0, 0}}
	c := &Classifier{Taxonomy: parsed(t), Model: model, Thresholds: []float64{0.5, 0.5}}
	if _, err := c.Classify(t.Context(), make([]Text, 5), false); err != nil || model.texts != 5 {
		t.Errorf("the model saw %d of 5 texts (%v)", model.texts, err)
	}
}

func TestOpenFolder(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenFolder(dir); err == nil {
		t.Error("an empty folder is no release")
	}
	put("taxonomy.yaml", taxonomyText)
	put("thresholds.json", `{"sports": 0.25}`)
	c, err := OpenFolder(dir)
	if err != nil || c.Thresholds[0] != 0.5 || c.Thresholds[1] != 0.25 {
		t.Errorf("thresholds %v (%v)", c.Thresholds, err)
	}
	put("taxonomy.yaml", "categories: [")
	if _, err := OpenFolder(dir); err == nil || !strings.Contains(err.Error(), "taxonomy.yaml") {
		t.Errorf("broken taxonomy: %v", err)
	}
}

// TestOneCategory: where a text has one label the answer is that one, with its
// probability, or none; all shows the rest.
func TestOneCategory(t *testing.T) {
	tax := parsed(t)
	tax.Single = true
	model := func(none float32, scores ...float32) *Classifier {
		return &Classifier{Taxonomy: tax, Model: predicting{Prediction{Scores: scores, Tags: []int32{1, 0}, None: none}}, Name: "news@3", Thresholds: []float64{0.5, 0.5}}
	}
	for name, c := range map[string]struct {
		c    *Classifier
		text string
		all  bool
		want string
	}{
		"below a half": {model(0.3, -0.2, -0.4), "x", false, `{"categories":{"emergencies":{"score":-0.2,"tag":"fire","probability":0.4}},"top":"emergencies","source":"model","model":"news@3"}`},
		"all":          {model(0, -0.9, 0.9), "x", true, `{"categories":{"emergencies":{"score":-0.9,"tag":"fire","probability":0.05},"sports":{"score":0.9,"tag":"","probability":0.95}},"top":"sports","source":"model","model":"news@3"}`},
		"none":         {model(0.6, -0.4, -0.8), "x", false, `{"categories":{},"top":null,"source":"model","model":"news@3"}`},
		"keywords":     {New(tax), "Fire at the cup", false, `{"categories":{"sports":{"score":1,"tag":""}},"top":"sports","source":"keywords","model":null}`},
		"no keyword":   {New(tax), "calm", true, `{"categories":{"emergencies":{"score":0,"tag":""},"sports":{"score":0,"tag":""}},"top":null,"source":"keywords","model":null}`},
	} {
		answers, err := c.c.Classify(t.Context(), []Text{{Title: c.text}}, c.all)
		if err != nil {
			t.Fatal(err)
		}
		if got := line(t, answers[0]); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// predicting answers the same for every text.
type predicting struct{ p Prediction }

func (p predicting) Predict(_ context.Context, texts []Text) ([]Prediction, error) {
	return slices.Repeat([]Prediction{p.p}, len(texts)), nil
}

// TestThresholds: they stand in the taxonomy's order, and what is no number is none.
func TestThresholds(t *testing.T) {
	for text, want := range map[string][]float64{
		`{"sports":0.2,"other":1}`: {0.5, 0.2}, `{}`: {0.5, 0.5}, `{"emergencies":-1}`: {-1, 0.5},
		`null`: nil, `{"sports":null}`: nil, `{"sports":"0.2"}`: nil, `{"sports":1e999}`: nil, `[]`: nil, ``: nil,
	} {
		got, err := Thresholds([]byte(text), parsed(t))
		if !slices.Equal(got, want) || (err != nil) != (want == nil) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
