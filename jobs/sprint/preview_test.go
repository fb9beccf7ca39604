package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/labels/preview"
)

const previewTaxonomy = `negation: {words: [no], within: 2}
categories:
  - name: fire
    tags: [big, small]
    rules:
      - {id: words, tag: big, words: [fire, blaze], except: [fire sale]}
      - {id: small, tag: small, words: [spark], suffixes: [ldfire, mpfire], weight: 0.5}
      - {id: dead, words: [inferno, inferno storm]}
  - name: money
    rules: [{id: shares, words: [shares], not: [stolen]}]
`

func preview0(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"label-preview", filepath.Join(dir, "plan.yaml"), "--store", filepath.Join(dir, "store")}, args...)
	code = execute(context.Background(), nil, args, nil, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// TestPreviewTexts shows what fires on a text, where, and what does not and why.
func TestPreviewTexts(t *testing.T) {
	dir := demo(t, map[string]string{"taxonomy.yaml": previewTaxonomy})
	code, out, errs := preview0(t, dir, "--text", "No big fire, but a wildfire and a fire sale", "--text", "Stolen shares")
	if code != 0 {
		t.Fatalf("code %d: %s", code, errs)
	}
	for _, want := range []string{
		"No big (fire), but a [wildfire] and a (fire) sale", "= fire/small 0.5",
		"dropped by negation", "dropped by except", "dropped by not", "= none", "fire:small",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	code, out, _ = preview0(t, dir, "--text", "A spark", "-o", "json")
	var p struct {
		Texts []struct {
			Categories map[string]struct {
				Score float64
				Tag   string
			}
			Fired []struct {
				Rule       string
				Start, End int
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &p); err != nil || code != 0 || len(p.Texts) != 1 {
		t.Fatalf("code %d, %v: %s", code, err, out)
	}
	if x := p.Texts[0]; x.Categories["fire"].Tag != "small" || x.Fired[0].Rule != "fire:small" || x.Fired[0].Start != 2 || x.Fired[0].End != 7 {
		t.Errorf("%+v", x)
	}
}

// TestPreviewSample counts the rows of the plan's files, and those that fetch
// committed once it has; gold rows are left out and measure the rules.
func TestPreviewSample(t *testing.T) {
	dir := demo(t, map[string]string{
		"taxonomy.yaml": previewTaxonomy,
		"gold.csv": "id,title,fire,fire_tag,money,money_tag\n" +
			"g1,Fire in the harbour,1,big,0,\n" + "g2,Fire of passion,0,,0,\n" + "g3,Shares fall,0,,1,\n" + "g4,Campfire songs,1,big,0,\n" +
			"xx,fire in house number aaa sold,1,,0,\n",
	})
	for _, from := range []string{"rows.jsonl", "stage fetch in the store"} {
		code, out, errs := preview0(t, dir, "--gold", filepath.Join(dir, "gold.csv"), "-o", "json")
		if code != 0 {
			t.Fatalf("code %d: %s", code, errs)
		}
		var p preview.Preview
		if err := json.Unmarshal([]byte(out), &p); err != nil {
			t.Fatal(err)
		}
		s := p.Sample
		if !strings.HasSuffix(s.From, from) || s.All != 40 || s.GoldOut != 1 || s.Rows != 39 || s.Covered != 39 || s.Categories[0].Rows != 19 || s.Categories[1].Rows != 20 {
			t.Errorf("sample %s: all %d, gold %d, rows %d, covered %d, %+v", s.From, s.All, s.GoldOut, s.Rows, s.Covered, s.Categories)
		}
		r := s.Rules[0]
		if r.ID != "fire:words" || r.Rows != 19 || r.Sole != 19 || r.Gold != 3 || r.Right != 2 || r.TagKnown != 1 || r.TagRight != 1 || r.Words[0].Word != "fire" {
			t.Errorf("rule %+v", r)
		}
		if small := s.Rules[1]; small.Gold != 1 || small.Right != 1 || small.TagKnown != 1 || small.TagRight != 0 {
			t.Errorf("rule %+v", small)
		}
		if !s.Rules[2].Dead || s.Rules[0].Dead || s.Rules[3].Dominating {
			t.Errorf("dead and dominating: %+v", s.Rules)
		}
		if p.Gold == nil || p.Gold.Rows != 5 || p.Gold.PerCategory["fire"].Precision != 0.75 || p.Gold.PerCategory["fire"].Recall != 1 {
			t.Errorf("gold %+v", p.Gold)
		}
		var sink bytes.Buffer
		if code := execute(context.Background(), nil, []string{"run", filepath.Join(dir, "plan.yaml"), "--store", filepath.Join(dir, "store"), "--until", "fetch", "-o", "json"}, nil, strings.NewReader(""), &sink, &sink); code != 0 {
			t.Fatalf("run: %s", sink.String())
		}
	}
	if code, out, errs := preview0(t, dir, "--show", "2", "--of", "fire:words"); code != 0 || !strings.Contains(out, "[fire] in house") || !strings.Contains(out, "dead: fire:small, fire:dead") || !strings.Contains(errs, "warning") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
}

// TestPreviewTests: a failing rule test is shown with its line and what fired,
// and ends with 1.
func TestPreviewTests(t *testing.T) {
	good := "tests:\n  - {text: Blaze!, want: fire/big}\n  - {text: no fire, want: none}\n  - {text: spark of shares, not: [], want: [fire/small, money]}\n"
	dir := demo(t, map[string]string{
		"taxonomy.yaml": previewTaxonomy, "good.yaml": good,
		"bad.yaml":     good + "  - {text: A blaze, want: money}\n  - {text: A spark, want: fire/big}\n",
		"mistake.yaml": "tests:\n  - {text: A blaze, want: fyre}\n  - {want: none}\n",
	})
	for file, c := range map[string]struct {
		code int
		want []string
	}{
		"good.yaml":    {0, []string{"0 of 3 rule tests failed"}},
		"bad.yaml":     {1, []string{"2 of 5 rule tests failed", "bad.yaml:5: no money; fire is present", "A [blaze]", `bad.yaml:6: fire is tagged "small", not "big"`}},
		"mistake.yaml": {3, []string{"mistake.yaml:2:27", `"fyre" is no category`, "mistake.yaml:3:", "needs a text"}},
		"absent.yaml":  {3, []string{"absent.yaml", "--test names"}},
	} {
		code, out, errs := preview0(t, dir, "--test", filepath.Join(dir, file))
		if code != c.code {
			t.Errorf("%s: code %d, want %d: %s%s", file, code, c.code, out, errs)
		}
		for _, w := range c.want {
			if !strings.Contains(out+errs, w) {
				t.Errorf("%s: no %q in:\n%s%s", file, w, out, errs)
			}
		}
	}
}

func TestPreviewBadInput(t *testing.T) {
	dir := demo(t, map[string]string{"taxonomy.yaml": previewTaxonomy, "gold.csv": "id,title,fire,fire_tag\n1,a,0,\n", "gold.txt": ""})
	gdelt := []string{"--set", "fetch.source=gdelt", "--set", "fetch.gdelt.query=sourcecountry:SW"}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"unknown rule":       {[]string{"--of", "fire:word"}, 2, `did you mean "fire:words"`},
		"gold category":      {[]string{"--gold", filepath.Join(dir, "gold.csv")}, 3, "no column money"},
		"gold format":        {[]string{"--gold", filepath.Join(dir, "gold.txt")}, 2, "extension"},
		"gold missing":       {[]string{"--gold", filepath.Join(dir, "nothere.csv")}, 3, "nothere.csv"},
		"rows missing":       {[]string{"--set", "fetch.files.paths=" + filepath.Join(dir, "nothere.jsonl")}, 3, "nothere.jsonl"},
		"nothing fetched":    {gdelt, 3, "--until fetch"},
		"unknown output":     {[]string{"-o", "xml"}, 2, "xml"},
		"broken taxonomy":    {[]string{"--set", "label.source=words"}, 3, "label.source"},
		"texts need no rows": {append([]string{"--text", "fire"}, gdelt...), 0, ""},
	} {
		code, out, errs := preview0(t, dir, c.args...)
		if code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%s: code %d, want %d and %q: %s%s", name, code, c.code, c.want, out, errs)
		}
	}
}

// TestValidateStrict: what looks wrong in a taxonomy is a warning with its place,
// or a mistake on wish, by the flag and by the file.
func TestValidateStrict(t *testing.T) {
	for name, c := range map[string]struct {
		taxonomy string
		args     []string
		code     int
	}{
		"warning": {previewTaxonomy, nil, 0},
		"flag":    {previewTaxonomy, []string{"--strict"}, 3},
		"file":    {previewTaxonomy + "strict: true\n", nil, 3},
	} {
		dir := demo(t, map[string]string{"taxonomy.yaml": c.taxonomy})
		var out, errs bytes.Buffer
		code := execute(context.Background(), nil, append([]string{"validate", filepath.Join(dir, "plan.yaml")}, c.args...), nil, strings.NewReader(""), &out, &errs)
		if code != c.code || !strings.Contains(errs.String(), `taxonomy.yaml:8:37: "inferno storm" says nothing new`) {
			t.Errorf("%s: code %d, want %d: %s%s", name, code, c.code, out.String(), errs.String())
		}
	}
}

// TestValidateLabelsByHand: a category without rules looks wrong where rules label the rows,
// and not where people did.
func TestValidateLabelsByHand(t *testing.T) {
	for source, code := range map[string]int{"[columns]": 0, "[columns, rules]": 3, "[rules]": 3} {
		dir := demo(t, map[string]string{"taxonomy.yaml": "categories: [{name: fire}, {name: money}]\n", "rows.jsonl": `{"title":"Blaze","label":"fire"}` + "\n",
			"plan.yaml": strings.Replace(goodPlan, "  - name: label\n", "  - name: label\n    with: {source: "+source+"}\n", 1)})
		got, stdout, stderr := exec(t, dir, "validate", "--strict")
		if got != code || strings.Contains(stderr, "no rule speaks for the category fire") != (code != 0) {
			t.Errorf("%s: code %d, want %d: %s%s", source, got, code, stdout, stderr)
		}
	}
}

// TestPreviewDropsAsFetchDoes: the plan's files are sampled without the rows that
// fetch would drop, those with an address that was there before among them.
func TestPreviewDropsAsFetchDoes(t *testing.T) {
	rows := `{"url":"https://news.example/1","title":"Fire in the harbour"}
{"url":"https://news.example/1","title":"Fire in the harbour, again"}
{"url":"https://news.example/2","title":"fire in the  harbour"}
{"title":"Shares rise"}
`
	dir := demo(t, map[string]string{"rows.jsonl": rows})
	code, out, stderr := exec(t, dir, "label-preview", "-o", "json")
	var got preview.Preview
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
		t.Fatalf("code %d, %v: %s", code, err, stderr)
	}
	if got.Sample == nil || got.Sample.All != 2 {
		t.Errorf("sampled %+v, want 2 rows", got.Sample)
	}
}

// TestPreviewRefusesTheArticles: a file of the plan that is not of its format is a
// fault of the plan, as a missing one is.
func TestPreviewRefusesTheArticles(t *testing.T) {
	dir := demo(t, map[string]string{"rows.jsonl": "PAR1"})
	if code, out, stderr := exec(t, dir, "label-preview"); code != 3 || !strings.Contains(stderr, "rows.jsonl: bad format") {
		t.Errorf("code %d, want 3: %s%s", code, out, stderr)
	}
}

// TestPreviewOfNone names the words of the rows that no rule reaches.
func TestPreviewOfNone(t *testing.T) {
	dir := t.TempDir()
	var articles strings.Builder
	for i := range 30 {
		title := fmt.Sprintf("Fire in street %d", i)
		if i%3 == 0 {
			title = fmt.Sprintf("Smoke over street %d", i)
		}
		fmt.Fprintf(&articles, `{"id":"%d","title":%q}`+"\n", i, title)
	}
	write(t, dir, map[string]string{
		"plan.yaml":      "name: p\ntaxonomy: taxonomy.yaml\nstages:\n  - {name: fetch, with: {source: files, files: {paths: [articles.jsonl]}}}\n  - {name: label}\n",
		"taxonomy.yaml":  "categories:\n  - {name: fire, tags: [blaze], rules: [{id: words, tag: blaze, words: [fire]}]}\n",
		"articles.jsonl": articles.String(),
	})
	code, out, errs := preview0(t, dir, "--of", "none")
	if code != 0 || !strings.Contains(out, "words that tell these rows from the others: over, smoke\n") {
		t.Errorf("code %d: %s%s", code, out, errs)
	}
	if _, out, _ := preview0(t, dir); strings.Contains(out, "words that tell") {
		t.Errorf("nobody asked for words: %s", out)
	}
}
