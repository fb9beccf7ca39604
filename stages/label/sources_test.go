package label

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// TestOverlay: a correction wins over the rules, category by category, and says
// so; the later of two counts.
func TestOverlay(t *testing.T) {
	path := file(t, "fix.csv", `id,url,title,fire,fire_tag,money,empty,reviewer,time
1,,,0,,,,anna,2026-01-02T10:00:00Z
1,,,0.5,big,,,bo,2026-01-01T10:00:00Z
,http://a/2,whatever,,,1,,anna,
,,FIRE!,,,,1,anna,
99,,,1,,,,anna,
`)
	o := &Options{Source: []string{"rules", "overlay"}, Rules: "taxonomy", Abstain: true, Overlay: Overlay{File: path, Unknown: "warn"}}
	res, got, report, err := attempt(t, o, articles(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := got["1"].Labels; l[0].Score != 0 || l[0].Abstain || l[1].Score != 1 || got["1"].LabelSource != "rules;overlay=fire" {
		t.Errorf("row 1: %+v by %q", l, got["1"].LabelSource)
	}
	if l := got["2"].Labels; l[1].Score != 1 || !l[0].Abstain || got["2"].LabelSource != "overlay" {
		t.Errorf("row 2: %+v by %q", l, got["2"].LabelSource)
	}
	if l := got["3"].Labels; l[2].Score != 1 || l[0].Score != 0.8 {
		t.Errorf("row 3: %+v", l)
	}
	if c := report.Overlay; c.Corrections != 5 || c.Rows != 3 || c.UnknownRows != 1 || c.Unknown[0] != "id:99" || !strings.Contains(res.Log, "id:99") {
		t.Errorf("%+v\n%s", c, res.Log)
	}
	if s := report.Sources["overlay"]; s == nil || s.Rows != 3 || s.Positives != 2 {
		t.Errorf("sources %+v", report.Sources)
	}
	o.Overlay.Unknown = "stop"
	var f *stages.Failure
	if _, _, _, err := attempt(t, o, articles(t), nil); !errors.As(err, &f) || f.Code != stages.CodeStage || !strings.Contains(err.Error(), "id:99") {
		t.Errorf("unknown: stop gave %v", err)
	}
}

func TestBadOverlays(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown category": {"id,fyre\n1,1\n", `column fyre is no category`},
		"unknown tag":      {"id,fire,fire_tag\n1,1,huge\n", `row 1: column fire_tag: category fire has no tag "huge"`},
		"no number":        {"id,fire\n1,0\n1,maybe\n", `row 2: column fire: "maybe"`},
		"out of range":     {"id,fire\n1,7\n", "row 1: column fire"},
		"nameless":         {"id,fire\n,1\n", "row 1: it has no url, id or title"},
		"bad time":         {"id,fire,time\n1,1,yesterday\n", "yesterday"},
		"ragged":           {"id,fire\n1\n", "row 1: 1 fields"},
		"no csv":           {"fi\"re\n1\n", "bad format: header of the csv file"},
	} {
		o := &Options{Source: []string{"rules", "overlay"}, Rules: "taxonomy", Abstain: true, Overlay: Overlay{File: file(t, "fix.csv", c.text), Unknown: "warn"}}
		var f *stages.Failure
		if _, _, _, err := attempt(t, o, articles(t), nil); !errors.As(err, &f) || f.Code != stages.CodeStage || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestChain: what the rows carry decides first, the rules the rest.
func TestChain(t *testing.T) {
	in := parquet(t, []rows.Row{
		{ID: "1", Title: "Blaze", Labels: []rows.Label{{Score: 0.3}, {Abstain: true}, {}}},
		{ID: "2", Title: "Shares fall"},
	}, []string{"fire", "money", "empty"})
	_, got, _, err := attempt(t, &Options{Source: []string{"columns", "rules"}, Rules: "taxonomy", Abstain: true}, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := got["1"].Labels; l[0].Score != 0.3 || l[1].Abstain || got["1"].LabelSource != "columns;rules=money" {
		t.Errorf("%+v by %q", l, got["1"].LabelSource)
	}
	if l := got["2"].Labels; l[1].Score != 1 || got["2"].LabelSource != "rules" {
		t.Errorf("%+v by %q", l, got["2"].LabelSource)
	}
}

// TestVote: columns and rules disagree; the policy of the category decides, and
// the row says that there was a conflict.
func TestVote(t *testing.T) {
	in := parquet(t, []rows.Row{{ID: "1", Title: "Blaze hits shares", Labels: []rows.Label{{}, {}, {Score: 1}}}}, []string{"fire", "money", "empty"})
	o := &Options{Source: []string{"columns", "rules"}, Rules: "taxonomy", Abstain: true, Combine: "vote", Conflict: "max", Conflicts: map[string]string{"money": "abstain", "empty": "vote"}, Weights: map[string]float64{"columns": 0.4}}
	_, got, report, err := attempt(t, o, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := got["1"]
	if r.Labels[0].Score != 1 || !r.Labels[1].Abstain || r.Labels[2].Score != 0 || r.Labels[2].Abstain {
		t.Errorf("%+v", r.Labels)
	}
	if strings.Join(r.Conflicts, " ") != "fire money empty" || report.Conflicts != 1 || report.Categories["money"].Undecided != 1 {
		t.Errorf("conflicts %v, report %+v", r.Conflicts, report)
	}
	o.Conflicts = map[string]string{"fyre": "max"}
	var f *stages.Failure
	if _, _, _, err := attempt(t, o, in, nil); !errors.As(err, &f) || f.Code != stages.CodePlan {
		t.Errorf("policy of an unknown category: %v", err)
	}
}

func TestExclusive(t *testing.T) {
	o := &Options{Source: []string{"rules"}, Rules: "taxonomy", Abstain: true, Conflict: "abstain", Exclusive: true}
	_, got, _, err := attempt(t, o, articles(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if l := got["1"].Labels; !l[0].Abstain || !l[1].Abstain || l[2].Abstain || got["3"].Labels[0].Score != 0.8 {
		t.Errorf("%+v", got)
	}
}

// TestGold: a rule that is wrong on the gold part is silenced; rows of the part
// do not come out, and rows that verify scores weigh nothing.
func TestGold(t *testing.T) {
	titles := []string{"Fire one in the hills tonight", "Second fire by a harbour crane", "Old mill ablaze, fire crews say", "Why fire drills bore school children", "A fire sale of winter coats begins"}
	var gold strings.Builder
	gold.WriteString("id,title,fire,fire_tag,money,money_tag,empty,empty_tag\n")
	for i, title := range titles {
		gold.WriteString(string(rune('a'+i)) + ",\"" + title + "\",0,,0,,0,\n")
	}
	gold.WriteString("z,\"Shares in steel rise again\",0,,1,,0,\n")
	scored := file(t, "scored.csv", "id,title,fire,fire_tag,money,money_tag,empty,empty_tag\na,x,0,,0,,0,\n")
	in := parquet(t, []rows.Row{{ID: "1", Title: "Fire!"}, {ID: "2", Title: "Shares!"}, {ID: "b", Title: titles[1]}}, nil)
	o := &Options{Source: []string{"rules"}, Rules: "taxonomy", Abstain: true, Gold: file(t, "part.csv", gold.String()), Scored: scored}
	res, got, report, err := attempt(t, o, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, there := got["b"]; there || report.Rows != 2 {
		t.Errorf("a row of the gold part came out: %v", got)
	}
	if g := report.Gold; g.Rows != 5 || g.Scored != 1 || g.Removed != 1 || g.Voters["fire:words"] != (voterCount{4, 0, 0}) || g.Voters["money:shares"] != (voterCount{1, 1, 0.8}) {
		t.Errorf("%+v", g)
	}
	if !strings.Contains(res.Log, "left out") {
		t.Error("no word about the scored row")
	}
	if !got["1"].Labels[0].Abstain || got["2"].Labels[1].Score != 1 {
		t.Errorf("%+v", got)
	}
	// The very file that verify scores is refused when keys are computed.
	o.Scored = o.Gold
	var f *stages.Failure
	if _, _, _, err := attempt(t, o, in, nil); !errors.As(err, &f) || f.Code != stages.CodePlan {
		t.Errorf("scored gold as weights: %v", err)
	}
	o.Scored = ""
	o.Gold = file(t, "odd.csv", "id,title,fyre,fyre_tag\n1,x,1,\n")
	if _, _, _, err := attempt(t, o, in, nil); err == nil || !strings.Contains(err.Error(), "fire") {
		t.Errorf("gold with unknown categories: %v", err)
	}
}

func TestWithoutPositives(t *testing.T) {
	o := &Options{Source: []string{"rules"}, Rules: "taxonomy", Abstain: true, Empty: "stop"}
	if _, _, _, err := attempt(t, o, articles(t), nil); err == nil || !strings.Contains(err.Error(), "no row is positive for empty") {
		t.Errorf("%v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, o := range []*Options{
		{Source: []string{"rules", "rules"}},
		{Source: []string{"overlay"}},
		{Source: []string{"rules"}, Weights: map[string]float64{"columns": 1}},
		{Source: []string{"rules"}, Gold: "gold.txt"},
		{Source: []string{"rules", "http"}, Combine: "chain", HTTP: HTTP{Ask: askDisagreement}},
		{Source: []string{"http", "overlay"}, Combine: "vote", HTTP: HTTP{Ask: askDisagreement}},
	} {
		if len(o.Check()) != 1 {
			t.Errorf("%+v: %v", o, o.Check())
		}
	}
}

// TestColumnLabel: rows with a label take it, whole; the others are labelled by rules.
func TestColumnLabel(t *testing.T) {
	in := parquet(t, []rows.Row{
		{ID: "1", Title: "Blaze hits shares", Label: "Money"},
		{ID: "2", Title: "Shares fall"},
		{ID: "3", Title: "Fire!", Label: "None"},
		{ID: "4", Title: "Calm", Label: "Brand, money"},
	}, nil)
	o := &Options{Source: []string{"columns", "rules"}, Rules: "taxonomy", Abstain: true, Separator: ",", Values: map[string]string{"brand": "fire/big"}}
	res, got, report, err := attempt(t, o, in, nil)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"1": "0 1 0 columns", "2": "0 1 0 rules", "3": "0 0 0 columns", "4": "1 1 0 columns"} {
		l := got[id].Labels
		if have := fmt.Sprint(l[0].Score, l[1].Score, l[2].Score, " ", got[id].LabelSource); have != want || l[0].Abstain || got[id].Label != "" {
			t.Errorf("row %s: %s, want %s: %+v", id, have, want, l)
		}
	}
	if got["4"].Labels[0].Tag != "big" || report.Sources["columns"].Rows != 3 || report.Sources["rules"].Rows != 1 {
		t.Errorf("%+v %+v\n%s", got["4"], report.Sources, res.Log)
	}
	o.Source, o.Rules = []string{"columns"}, ""
	if _, got, _, err = attempt(t, o, in, nil); err != nil || !got["2"].Labels[1].Abstain {
		t.Errorf("a row without a label: %v %+v", err, got["2"])
	}
}

// TestUnknownLabels: labels that mean nothing are refused, counted by what they say.
func TestUnknownLabels(t *testing.T) {
	var in []rows.Row
	for i, label := range []string{"moneys", "moneys", "weather", "fire/bigg", "money", "", "moneys; fire"} {
		in = append(in, rows.Row{ID: fmt.Sprint(i), Title: fmt.Sprint("title ", i), Label: label})
	}
	_, _, _, err := attempt(t, &Options{Source: []string{"columns"}, Abstain: true}, parquet(t, in, nil), nil)
	var f *stages.Failure
	want := `the column label of 5 of 7 rows says what the taxonomy does not have: "moneys" is no category (3 rows, did you mean "money"?); category fire has no tag "bigg" (1 rows, did you mean "fire/big"?); "weather" is no category (1 rows)`
	if !errors.As(err, &f) || f.Code != stages.CodeStage || err.Error() != want || !strings.Contains(f.Hint, `values: {"fire/bigg": fire/big}`) {
		t.Errorf("%v\n%s", err, f.Hint)
	}
}

// TestColumnLabelBesideScores: columns of all categories go before a column label.
func TestColumnLabelBesideScores(t *testing.T) {
	in := parquet(t, []rows.Row{{ID: "1", Title: "a", Label: "no such", Labels: []rows.Label{{Score: 1}, {}, {}}}}, []string{"fire", "money", "empty"})
	res, got, _, err := attempt(t, &Options{Source: []string{"columns"}, Abstain: true}, in, nil)
	if err != nil || got["1"].Labels[0].Score != 1 || !strings.Contains(res.Log, "column label is not read") {
		t.Errorf("%v %+v", err, got)
	}
}
