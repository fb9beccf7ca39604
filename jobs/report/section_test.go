package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// words are those of a section's blocks.
func words(blocks []Block) string {
	text := ""
	for _, b := range blocks {
		text += "\n" + b.Text
		if b.Chart != nil {
			text += "\n" + b.Chart.Title + ": " + b.Chart.Desc
		}
		if b.Table == nil {
			continue
		}
		text += "\n" + b.Table.Caption
		for _, r := range b.Table.Rows {
			text += "\n"
			for _, c := range r {
				text += c.Text + " "
			}
		}
	}
	return text
}

// TestLanguageSection: each language has its figures beside the rules', and one alone has
// no section.
func TestLanguageSection(t *testing.T) {
	var d document.Details
	const doc = `{"segments":{"language":[{"name":"sv","rows":40,"micro_f1":0.8,"decided":30,"macro_f1":0.75,"keywords_micro_f1":0.5,"train_rows":300},
		{"name":"fi","rows":12,"micro_f1":0.25,"decided":9,"keywords_micro_f1":0,"train_rows":0},{"name":"de","rows":1,"decided":0}]}}`
	if err := json.Unmarshal([]byte(doc), &d); err != nil {
		t.Fatal(err)
	}
	s := languageSection(d.Segments[byLanguage])
	got := words(s.Blocks)
	for _, want := range []string{"sv 40 0.80 0.50 0.75 300", "fi 12 0.25 0.00 too few rows 0", "de 1 ", "Micro-F1 by language: sv 0.800. fi 0.250."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if s.Blocks[1].Table.Rows[1][5].Mark != Warn {
		t.Error("a language without training rows is not marked")
	}
	if languageSection(d.Segments[byLanguage][:1]) != nil {
		t.Error("one language has a section")
	}
}

// TestCurveBlocks: what more labels bring is a picture and a table; a note that is
// anybody's is no panic.
func TestCurveBlocks(t *testing.T) {
	stage := func(note string) document.Stage {
		var notes map[string]any
		if err := json.Unmarshal(fmt.Appendf(nil, `{"label_curve":%s}`, note), &notes); err != nil {
			t.Fatal(err)
		}
		return document.Stage{Manifest: &storage.Manifest{Notes: notes}}
	}
	got := words(curveBlocks(stage(`[{"rows":10,"macro_f1":0.5},{"rows":120,"macro_f1":0.75}]`)))
	for _, want := range []string{"10 0.500", "120 0.750 +0.250", "10 rows 0.500. 120 rows 0.750."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	for _, odd := range []string{`null`, `[]`, `[{"rows":10,"macro_f1":0.5}]`, `{"rows":1}`, `"x"`, `[{"rows":-1,"macro_f1":1e308},{"rows":1,"macro_f1":-5}]`} {
		curveBlocks(stage(odd))
	}
	if b := curveBlocks(document.Stage{}); b != nil {
		t.Errorf("%v", b)
	}
}

// TestEndings: a report says how often machines were taken away and which limit ended a try,
// and what a model lost with its vocabulary; a limit that is not known has its own word.
func TestEndings(t *testing.T) {
	pruned := document.Stage{StageResult: runs.StageResult{Name: "small", Kind: "prune"}, Manifest: &storage.Manifest{Notes: map[string]any{"vocabulary": "90 of 200 pieces"}}}
	s := &document.Source{Stages: []document.Stage{
		{StageResult: runs.StageResult{Name: "train", Interruptions: 2, EndedBy: "run"}}, {StageResult: runs.StageResult{Name: "verify"}},
		{StageResult: runs.StageResult{Name: "odd", EndedBy: "moon"}}, pruned,
	}}
	var got []string
	for _, b := range costSection(s).Blocks {
		for _, f := range b.Facts {
			got = append(got, f.Name+": "+f.Value.Text)
		}
	}
	want := []string{"train, interruptions: the machine was taken away 2 times", "train, ended by: the limit of its run", "odd, ended by: moon"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	r := &Report{}
	r.facts(s)
	if !slices.ContainsFunc(r.Facts, func(f Fact) bool { return f.Name == "Vocabulary after small" && f.Value.Text == "90 of 200 pieces" }) {
		t.Errorf("%+v", r.Facts)
	}
}
