package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/labels/review"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages/rows"
)

// reviewRows are rows of which some carry a rule's word in another sense: a
// "fire sale" among bank news, and one that no rule decides.
func reviewRows() string {
	var b strings.Builder
	add := func(id, title string) {
		line, _ := json.Marshal(map[string]string{"id": id, "title": title})
		b.Write(append(line, '\n'))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	topic := func(id, rule, words string) {
		list := strings.Fields(words)
		for i := range 24 {
			rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			add(id+string(rune('a'+i)), strings.Join(list[:3], " ")+" "+rule+" "+strings.Join(list[3:6], " "))
		}
	}
	topic("f", "fire", "smoke flames engine crew rescue burned ladder hydrant alarm roof siren evacuated")
	topic("m", "bank", "investors profits lending rates quarter dividend credit broker earnings bonds stocks rally")
	add("sale", "Investors lending profits fire credit bonds dividend")
	add("open", "Flames and smoke, crew burned on ladder")
	add("=formula", "=1+1 bank")
	return b.String()
}

// edit changes a csv of a review: change gets each record as a map.
func edit(t *testing.T, path string, change func(map[string]string)) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, rec := range all[1:] {
		m := map[string]string{}
		for k, name := range all[0] {
			m[name] = rec[k]
		}
		change(m)
		for k, name := range all[0] {
			all[i+1][k] = m[name]
		}
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := csv.NewWriter(file).WriteAll(all); err != nil {
		t.Fatal(err)
	}
}

// TestReviewLoop: run, export, edit, import, run: the label stage runs again,
// the corrected rows have the reviewer's labels, and no other row changed.
func TestReviewLoop(t *testing.T) {
	plan := strings.Replace(goodPlan, "  - name: label\n", "  - name: label\n    with:\n      source: [rules, overlay]\n      overlay: {file: corrections.csv}\n", 1)
	dir := demo(t, map[string]string{"plan.yaml": plan, "rows.jsonl": reviewRows(), "corrections.csv": "id,fire,money,reviewer\n"})
	ok := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := exec(t, dir, args...)
		if code != 0 {
			t.Fatalf("sprint %s: code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		}
		return stdout + stderr
	}
	if code, _, stderr := exec(t, dir, "review", "export"); code != 2 || !strings.Contains(stderr, "--until label") {
		t.Errorf("before the run: code %d, %s", code, stderr)
	}
	ok("run")
	before := labelled(t, dir)
	if said := ok("review", "export", "--output", "own.csv"); !strings.Contains(said, "sprint review import own.csv\n") {
		t.Errorf("export says %s", said)
	}
	// What is printed names the plan and what was set: another plan may lie here as plan.yaml.
	if said := ok("review", "export", "plan.yaml", "--output", "review.csv", "--set", "label.overlay.file=corrections.csv"); !strings.Contains(said, "sprint review import review.csv plan.yaml --set label.overlay.file=corrections.csv\n") {
		t.Errorf("export says %s", said)
	}
	if code, _, _ := exec(t, dir, "review", "export", "--output", "review.csv"); code != 2 {
		t.Errorf("a second export over the first: code %d", code)
	}
	seen := map[string]string{}
	edit(t, filepath.Join(dir, "review.csv"), func(m map[string]string) {
		seen[m["id"]] = m["reasons"]
		switch m["id"] {
		case "sale":
			m["fire"], m["money"], m["reviewer"] = "0", "1", "anna"
		case "open":
			m["fire"], m["fire_tag"], m["reviewer"] = "1", "big", "anna"
		}
	})
	if !strings.HasPrefix(seen["sale"], "suspected: ") || !strings.Contains(seen["open"], "uncertain: undecided, fire perhaps") && !strings.Contains(seen["open"], "uncertain: undecided, money perhaps") {
		t.Errorf("reasons %v", seen)
	}
	if said := ok("review", "import", "plan.yaml", "review.csv"); !strings.Contains(said, "2 corrections added to") {
		t.Errorf("import says %s", said)
	}
	out := ok("run")
	if !strings.Contains(out, "overlay changed") {
		t.Errorf("the run says %s", out)
	}
	after := labelled(t, dir)
	for id, old := range before {
		now := after[id]
		switch id {
		case "sale":
			if now.Labels[0].Score != 0 || now.Labels[1].Score != 1 || now.LabelSource != "overlay" {
				t.Errorf("sale: %+v by %q", now.Labels, now.LabelSource)
			}
		case "open":
			if now.Labels[0] != (rows.Label{Score: 1, Tag: "big"}) || !now.Labels[1].Abstain {
				t.Errorf("open: %+v", now.Labels)
			}
		default:
			if !slices.Equal(old.Labels, now.Labels) || old.LabelSource != now.LabelSource {
				t.Errorf("%s changed: %+v, was %+v", id, now, old)
			}
		}
	}
	// Nothing is left to say about what a person has judged.
	if said := ok("review", "export", "--output", "again.csv"); strings.Contains(said, "sale") || !strings.Contains(said, "nothing to review") {
		t.Errorf("a second export says %s", said)
	}
}

// labelled reads the newest labelled rows of the demo's store.
func labelled(t *testing.T, dir string) map[string]rows.Row {
	t.Helper()
	path := filepath.Join(t.TempDir(), "labelled.parquet")
	if code, _, stderr := exec(t, dir, "artifacts", "get", "label.labelled", path); code != 0 {
		t.Fatal(stderr)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	list, _, err := rows.DecodeParquet(file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]rows.Row{}
	for _, r := range list {
		out[r.ID] = r
	}
	return out
}

// TestReviewImport: later reviews win, differences are told, nothing is
// overwritten, and mistakes import nothing.
func TestReviewImport(t *testing.T) {
	dir := demo(t, nil)
	try := func(want int, review string, args ...string) string {
		t.Helper()
		write(t, dir, map[string]string{"review.csv": review})
		code, stdout, stderr := exec(t, dir, append([]string{"review", "import", "review.csv"}, args...)...)
		if code != want {
			t.Fatalf("code %d, want %d: %s%s", code, want, stdout, stderr)
		}
		return stdout + stderr
	}
	overlay := func() string {
		b, _ := os.ReadFile(filepath.Join(dir, "corrections.csv"))
		return string(b)
	}
	said := try(0, "id,title,fire,fire_tag,money,money_tag,reviewer,time\nx,t,1,big,0,,anna,2026-01-02T00:00:00Z\nxx,t,1,,,,,\n")
	if !strings.Contains(said, "1 corrections added") || !strings.Contains(said, "1 have no reviewer") || !strings.Contains(said, "source: [rules, overlay]") {
		t.Errorf("%s", said)
	}
	want := "url,id,title,fire,fire_tag,money,money_tag,reviewer,time\n,x,t,1,big,0,,anna,2026-01-02T00:00:00Z\n"
	if overlay() != want {
		t.Errorf("overlay %q", overlay())
	}
	if said = try(0, "id,fire,fire_tag,reviewer,time\nx,1,big,bo,2026-01-03T00:00:00Z\n"); !strings.Contains(said, "1 rows say nothing new") || overlay() != want {
		t.Errorf("%s %s", said, overlay())
	}
	if said = try(0, "id,fire,time\nx,0,2026-01-01T00:00:00Z\n", "--reviewer", "bo"); !strings.Contains(said, "id:x: fire was 1 big by anna, 0 by bo is older and does not count") {
		t.Errorf("%s", said)
	}
	if said = try(0, "id,fire,reviewer,time\nx,0.5,eva,2026-02-01T00:00:00Z\n"); !strings.Contains(said, "0.5 by eva counts now") || strings.Count(overlay(), "\n") != 4 {
		t.Errorf("%s %s", said, overlay())
	}
	want = overlay()
	for _, c := range []struct {
		code       int
		text, want string
	}{
		{2, "id,fire,reviewer\nx,1,\n", "no row of review.csv has a reviewer"},
		{1, "id,fyre,reviewer\nx,1,a\n", "column fyre is no category (fire, money)"},
		{1, "id,fire,fire_tag,reviewer\nx,1,huge,a\n", `no tag "huge"`},
		{1, "id,fire,reviewer\nx,maybe,a\n", `row 1: column fire: "maybe"`},
	} {
		if said := try(c.code, c.text); !strings.Contains(said, c.want) || overlay() != want {
			t.Errorf("%q: %s", c.text, said)
		}
	}
	if code, _, _ := exec(t, dir, "review", "import", "nothing.csv"); code != 3 {
		t.Errorf("a missing file: code %d", code)
	}
}

// TestReviewOfARun: the rows of a run's split are looked at; gold is out of it.
func TestReviewOfARun(t *testing.T) {
	plan := strings.Replace(goodPlan, "ratios:", "gold: gold.csv, ratios:", 1)
	dir := demo(t, map[string]string{"plan.yaml": plan, "rows.jsonl": reviewRows(), "gold.csv": "id,title,fire,fire_tag,money,money_tag\nsale,x,0,,1,\n"})
	code, stdout, stderr := exec(t, dir, "run", "-o", "json")
	if code != 0 {
		t.Fatal(stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var res runs.Result
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &res); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{*res.Run, "plan.yaml"} {
		code, stdout, stderr = exec(t, dir, "review", "export", of)
		if code != 0 || !strings.Contains(stdout, "open,") || strings.Contains(stdout, "sale") {
			t.Errorf("%s: code %d\n%s\n%s", of, code, stdout, stderr)
		}
	}
	if code, _, _ := exec(t, dir, "review", "export", "no-such-run"); code == 0 {
		t.Error("no such run, and yet an export")
	}
}

// TestRuleWordsAreEvidence: rows that only a rule's word tells apart, and tells
// right, are not suspect.
func TestRuleWordsAreEvidence(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	set := &review.Set{Categories: []string{"fire", "money"}}
	for i := range 240 {
		word, fire := "shares", 0.0
		if i%3 == 0 {
			word, fire = "blaze", 1
		}
		title := word
		for range 5 { // of no use to anybody
			title += fmt.Sprintf(" filler%d", rng.IntN(60))
		}
		set.Rows = append(set.Rows, rows.Row{ID: fmt.Sprint(i), Title: title, LabelSource: "rules", Labels: []rows.Label{{Score: fire}, {Score: 1 - fire}}})
	}
	wrong := &set.Rows[90] // a blaze that somebody labelled money
	wrong.Labels[0].Score, wrong.Labels[1].Score = 0, 1
	doubts, err := set.Doubts(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	if len(doubts) != 1 || doubts[0].Row != 90 || doubts[0].Sort != review.Suspected {
		t.Errorf("%d rows are doubted, not the wrong one alone", len(doubts))
	}
}

// TestCorrectionsOutliveTheirWindow: a row that a reviewer corrected trains, with its
// texts, when no source gives it any more; one of the gold set never does.
func TestCorrectionsOutliveTheirWindow(t *testing.T) {
	plan := strings.Replace(goodPlan, "  - name: label\n", "  - name: label\n    with:\n      source: [rules, overlay]\n      overlay: {file: corrections.csv}\n", 1)
	old := `{"id":"sale","title":"Investors lending profits fire credit bonds dividend","description":"=all, must go","seen_at":"20260102T030405Z"}` + "\n"
	others := strings.Replace(reviewRows(), `{"id":"sale","title":"Investors lending profits fire credit bonds dividend"}`+"\n", "", 1)
	dir := demo(t, map[string]string{"plan.yaml": plan, "rows.jsonl": others + old, "corrections.csv": "id,fire,money,reviewer\n"})
	ok := func(args ...string) {
		t.Helper()
		if code, stdout, stderr := exec(t, dir, args...); code != 0 {
			t.Fatalf("sprint %s: code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		}
	}
	ok("run", "--until", "label")
	ok("review", "export", "--output", "review.csv")
	edit(t, filepath.Join(dir, "review.csv"), func(m map[string]string) {
		if slices.Contains([]string{"sale", "open"}, m["id"]) {
			m["fire"], m["money"], m["reviewer"] = "0", "1", "anna"
		}
	})
	ok("review", "import", "review.csv")
	later := strings.ReplaceAll(others, `"id":"open"`, `"id":"shut"`)
	later = strings.ReplaceAll(later, "Flames and smoke, crew burned on ladder", "Another day of smoke")
	write(t, dir, map[string]string{"rows.jsonl": later, "gold.csv": "id,title,fire,money\nopen,x,1,0\n", "plan.yaml": strings.Replace(plan, "ratios:", "gold: gold.csv, ratios:", 1)})
	ok("run")
	found := map[string]rows.Row{}
	for _, side := range []string{"train", "val", "test"} {
		path := filepath.Join(t.TempDir(), side+".parquet")
		ok("artifacts", "get", "split."+side, path)
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := rows.DecodeParquet(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			found[r.ID] = r
		}
	}
	r, joined := found["sale"]
	if !joined || r.Labels[0].Score != 0 || r.Labels[1].Score != 1 || r.Description != "=all, must go" || r.SeenAt != "20260102T030405Z" || r.LabelSource != "overlay" {
		t.Errorf("%v: %+v", joined, r)
	}
	if _, trained := found["open"]; trained {
		t.Error("a gold row trained")
	}
}
