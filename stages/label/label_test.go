package label

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

func TestRules(t *testing.T) {
	in := parquet(t, []rows.Row{{ID: "1", Title: "Blaze hits shares"}, {ID: "2", Title: "Calm day"}, {ID: "3", Title: "Fire!"}}, nil)
	for _, abstain := range []bool{true, false} {
		res, out, report := label(t, &Options{Source: []string{"rules"}, Rules: "taxonomy", Abstain: abstain}, in)
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		if l := out[0].Labels; l[0].Score != 1 || l[0].Tag != "big" || l[1].Score != 1 || l[2].Score != 0 || l[2].Abstain {
			t.Errorf("row 1: %+v", l)
		}
		if r := strings.Join(out[0].Rules, " "); r != "fire:words fire:big money:shares" && r != "fire:big fire:words money:shares" || out[0].LabelSource != "rules" {
			t.Errorf("provenance %q from %q", r, out[0].LabelSource)
		}
		if l := out[1].Labels; l[0].Abstain != abstain || l[0].Score != 0 {
			t.Errorf("a row without any rule, abstain %v: %+v", abstain, l)
		}
		if out[2].Labels[0].Score != 0.8 || out[2].Labels[1].Abstain {
			t.Errorf("row 3: %+v", out[2].Labels)
		}
		if report.Rows != 3 || report.Covered != 2 || report.Overlap != 1 || report.Categories["fire"].Positives != 2 || strings.Join(report.DeadRules, " ") != "fire:dead empty:none" {
			t.Errorf("report %+v", report)
		}
		if !strings.Contains(res.Log, "empty") {
			t.Error("no warning about the category without positives")
		}
	}
}

func TestNothingLabelled(t *testing.T) {
	res, _, _ := label(t, &Options{Source: []string{"rules"}, Rules: "taxonomy", Abstain: true}, parquet(t, []rows.Row{{ID: "1", Title: "Calm"}}, nil))
	var f *stages.Failure
	if !errors.As(res.Err, &f) || f.Code != stages.CodeStage || f.Hint == "" {
		t.Errorf("%v", res.Err)
	}
}

func TestColumns(t *testing.T) {
	with := func(tag string) []byte {
		// The columns stand in another order than the taxonomy's categories.
		return parquet(t, []rows.Row{{ID: "1", Title: "a", Labels: []rows.Label{{}, {Score: 0.5}, {Score: 1, Tag: tag}}}}, []string{"empty", "money", "fire"})
	}
	res, out, _ := label(t, &Options{Source: []string{"columns"}}, with("big"))
	if res.Err != nil {
		t.Fatal(res.Err)
	}
	if l := out[0].Labels; l[0].Score != 1 || l[0].Tag != "big" || l[1].Score != 0.5 || out[0].LabelSource != "columns" {
		t.Errorf("%+v from %q", l, out[0].LabelSource)
	}
	if res, _, _ := label(t, &Options{Source: []string{"columns"}}, with("huge")); res.Err == nil || !strings.Contains(res.Err.Error(), "huge") {
		t.Errorf("unknown tag: %v", res.Err)
	}
	if res, _, _ := label(t, &Options{Source: []string{"columns"}}, parquet(t, []rows.Row{{ID: "1", Title: "a"}}, nil)); res.Err == nil || !strings.Contains(res.Err.Error(), "category fire") {
		t.Errorf("no labels: %v", res.Err)
	}
}

// TestRulesAreTheKeywords: with the default policy the labels are what the
// classifier called keywords answers, rules against a category included.
func TestRulesAreTheKeywords(t *testing.T) {
	text := `categories:
  - name: a
    tags: [x, y]
    rules:
      - {id: weak, words: [wag], weight: 0.4, tag: y}
      - {id: one, words: [waa, wab], weight: 0.8, tag: x}
      - {id: two, words: [wac], weight: 0.8, tag: y}
      - {id: three, words: [wad], weight: 0.3}
      - {id: against, words: [wae], weight: -0.5}
  - name: b
    rules: [{id: one, words: [wad, waf]}, {id: against, words: [waa], weight: -1}]
`
	tax, problems := taxonomy.Parse([]byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var in []rows.Row
	for range 2000 {
		var words []string
		for range 1 + rng.IntN(4) {
			words = append(words, "wa"+string(rune('a'+rng.IntN(8))))
		}
		in = append(in, rows.Row{Title: strings.Join(words, " ")})
	}
	res := stagetest.MustRun(t, stagetest.Case{Kind: Kind(), Options: &Options{Source: []string{"rules"}, Rules: "taxonomy", Abstain: true, Combine: "chain", Conflict: "max"},
		Inputs: map[string]any{"articles": parquet(t, in, nil)}, Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(text)}})
	out, _, err := rows.DecodeParquet(bytes.NewReader(res.File(t, "labelled")))
	if err != nil {
		t.Fatal(err)
	}
	m, want := keywords.New(tax), keywords.Result{}
	for _, r := range out {
		m.Match(&want, r.Title, "")
		for c, l := range r.Labels {
			if l.Score != want.Scores[c] || l.Tag != tax.Categories[c].Tags[want.Tags[c]] {
				t.Fatalf("%s: %s is %+v, the keywords say %g %d", r.Title, tax.Categories[c].Name, l, want.Scores[c], want.Tags[c])
			}
		}
	}
}

// TestRulesShareALabel: where a row has one label, the score of a category is its share
// in the weight of all hits.
func TestRulesShareALabel(t *testing.T) {
	text := `labels: single
categories:
  - name: a
    rules: [{words: [wag, wig], weight: 0.5}]
  - name: b
    rules: [{words: [bag]}]
`
	r := stagetest.Run(t, stagetest.Case{Kind: Kind(), Options: &Options{Source: []string{"rules"}, Rules: "taxonomy", Abstain: true, Combine: "chain", Conflict: "max"},
		Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(text)}, Inputs: map[string]any{"articles": parquet(t, []rows.Row{{ID: "1", Title: "wag and wig in a bag"}, {ID: "2", Title: "wag"}, {ID: "3", Title: "calm"}}, nil)}})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	out, _, err := rows.DecodeParquet(bytes.NewReader(r.File(t, "labelled")))
	if err != nil {
		t.Fatal(err)
	}
	if l := out[0].Labels; l[0].Score != 0.5 || l[1].Score != 0.5 {
		t.Errorf("shared: %+v", l)
	}
	if l := out[1].Labels; l[0].Score != 1 || l[1].Score != 0 || l[1].Abstain || !out[2].Labels[0].Abstain {
		t.Errorf("%+v, %+v", l, out[2].Labels)
	}
}
