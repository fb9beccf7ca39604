package label

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

const swedishAndNorwegian = `categories:
  - name: sports
    rules:
      sv: [{id: penalty, words: [straff, straffen]}]
      nb: [{id: penalty, words: [straffe]}]
  - name: crime
    rules:
      nb: [{id: sentence, words: [straff, straffen]}]
`

// languages labels rows by a taxonomy and returns them by id, and the report.
func languages(t *testing.T, text string, o *Options, in []rows.Row) (map[string]rows.Row, *Report, string) {
	t.Helper()
	o.Combine, o.Conflict, o.Abstain = "chain", "max", true
	res := stagetest.MustRun(t, stagetest.Case{Kind: Kind(), Options: o, Inputs: map[string]any{"articles": parquet(t, in, nil)}, Taxonomy: stages.Source{Name: "taxonomy.yaml", Data: []byte(text)}})
	list, _, err := rows.DecodeParquet(bytes.NewReader(res.File(t, "labelled")))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]rows.Row{}
	for _, r := range list {
		out[r.ID] = r
	}
	var report Report
	if err := json.Unmarshal(res.File(t, "label_report"), &report); err != nil {
		t.Fatal(err)
	}
	return out, &report, res.Log
}

// TestRowsByLanguage: a row is labelled by the rules of its language, which is kept with
// it, and one of a language without rules gets no vote, which is said with its count.
func TestRowsByLanguage(t *testing.T) {
	got, report, log := languages(t, swedishAndNorwegian, &Options{Source: []string{"rules"}, Rules: "taxonomy"}, []rows.Row{
		{ID: "found", Title: "Målvakten räddade straffen i sista minuten"},
		{ID: "given", Title: "Straff", Language: "Norwegian"},
		{ID: "wrong", Title: "Han fikk lavere straff i lagmannsretten", Language: "other"},
		{ID: "foreign", Title: "Straff", Language: "fi"},
		{ID: "german", Title: "Die Regierung legt einen neuen Haushalt vor, Straff"},
		{ID: "none", Title: "12 345"},
	})
	for id, want := range map[string]string{"found": "sv sports:sv.penalty", "given": "no crime:no.sentence", "wrong": "no crime:no.sentence", "foreign": "fi ", "german": "de ", "none": " "} {
		r := got[id]
		if have := r.Language + " " + strings.Join(r.Rules, ";"); have != want {
			t.Errorf("%s: %q, want %q", id, have, want)
		}
		voted := slices.ContainsFunc(r.Labels, func(l rows.Label) bool { return !l.Abstain })
		if voted != strings.Contains(want, ":") {
			t.Errorf("%s: %+v", id, r.Labels)
		}
	}
	want := map[string]*LanguageReport{"sv": {Rows: 1, Covered: 1}, "no": {Rows: 2, Covered: 2}, "fi": {Rows: 1, NoRules: true}, "de": {Rows: 1, NoRules: true}, "unknown": {Rows: 1, NoRules: true}}
	if !reflect.DeepEqual(report.Languages, want) {
		t.Errorf("%v", report.Languages)
	}
	if strings.Count(log, "rows of this language get no label from rules") != 3 || !strings.Contains(log, "fi") {
		t.Errorf("%s", log)
	}
}

// TestLanguageOnlyOnDemand: where no rule is of a language a row keeps what its source says, and
// the plan may ask for more.
func TestLanguageOnlyOnDemand(t *testing.T) {
	const plain = "categories: [{name: sports, rules: [{words: [straff]}]}]"
	in := []rows.Row{{ID: "1", Title: "Målvakten räddade straff i sista minuten", Language: "Swedish"}, {ID: "2", Title: "Regjeringen legger frem straff i oktober"}}
	got, report, _ := languages(t, plain, &Options{Source: []string{"rules"}, Rules: "taxonomy"}, in)
	if got["1"].Language != "Swedish" || got["2"].Language != "" || report.Languages != nil {
		t.Errorf("%+v %v", got, report.Languages)
	}
	got, report, log := languages(t, plain, &Options{Source: []string{"rules"}, Rules: "taxonomy", DetectLanguages: true}, in)
	if got["1"].Language != "sv" || got["2"].Language != "no" || report.Languages["no"].Covered != 1 || report.Languages["no"].NoRules || strings.Contains(log, "no label from rules") {
		t.Errorf("%+v %v\n%s", got, report.Languages, log)
	}
}
