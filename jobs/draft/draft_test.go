package draft

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/rows/titles"
)

// drafted makes the draft of a table with this text.
func drafted(t *testing.T, name, text string, change func(*Options)) (*Draft, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{From: path, Folder: filepath.Join(t.TempDir(), "demo"), Gold: 0.2, MinRows: 8}
	if change != nil {
		change(&o)
	}
	return New(o)
}

func mustDraft(t *testing.T, name, text string, change func(*Options)) *Draft {
	t.Helper()
	d, err := drafted(t, name, text, change)
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := taxonomy.Parse(d.Files["taxonomy.yaml"]); len(problems) > 0 {
		t.Errorf("taxonomy: %v\n%s", problems, d.Files["taxonomy.yaml"])
	}
	return d
}

// unlike makes texts that are not alike.
func unlike(i int) string {
	const letters = "bcdfghjklmnprstvwz"
	var out []string
	for k := range 6 {
		x := (i*7919 + k*104729) % 99991
		out = append(out, fmt.Sprintf("%c%c%c%c", letters[x%18], "aeiou"[x/18%5], letters[x/90%18], letters[x/1620%18]))
	}
	return strings.Join(out, " ")
}

// labelled is a table of n rows whose label a word of the text tells.
func labelled(n int, label func(i int) string) string {
	var b strings.Builder
	b.WriteString("id,text,label\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,%s,%s\n", i, unlike(i), label(i))
	}
	return b.String()
}

func goldOf(t *testing.T, d *Draft) [][]string {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(d.Files["gold.csv"])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records[1:]
}

// TestGoldIsStratified: each category has its share, at least 8 rows and at most half of its
// own; --gold says how large the share is.
func TestGoldIsStratified(t *testing.T) {
	text := labelled(500, func(i int) string {
		switch {
		case i%50 == 0: // 10 rows
			return "rare"
		case i%10 == 1: // 50
			return "some"
		}
		return "most"
	})
	d := mustDraft(t, "rows.csv", text, nil)
	counts := map[string]int{}
	for _, rec := range goldOf(t, d) {
		counts[rec[len(rec)-1]]++
	}
	if counts["rare"] != 5 || counts["some"] != 10 || counts["most"] < 80 || counts["most"] > 95 {
		t.Errorf("%v", counts)
	}
	if d := mustDraft(t, "rows.csv", text, func(o *Options) { o.Gold = 0 }); d.Files["gold.csv"] != nil || strings.Contains(string(d.Files["plan.yaml"]), "gold") {
		t.Errorf("--gold 0 sets rows aside:\n%s", d.Files["plan.yaml"])
	}
	if again := mustDraft(t, "rows.csv", text, nil); !bytes.Equal(again.Files["gold.csv"], d.Files["gold.csv"]) && d.Files["gold.csv"] != nil {
		t.Error("the same table has another gold part")
	}
}

// TestGoldIsCapped: of many rows 400 are enough.
func TestGoldIsCapped(t *testing.T) {
	d := mustDraft(t, "rows.csv", labelled(4000, func(i int) string { return []string{"a1", "b1"}[i%2] }), nil)
	if n := len(goldOf(t, d)); n < 380 || n > 400 {
		t.Errorf("%d rows", n)
	}
}

// TestStoriesStayWhole: no row that may train is like a gold row, and no word of a rule comes
// from the gold part.
func TestStoriesStayWhole(t *testing.T) {
	var b strings.Builder
	b.WriteString("title,label\n")
	for i := range 200 {
		for range 1 + i%3 { // stories of one to three rows, nearly alike
			fmt.Fprintf(&b, "%s %d,%s\n", strings.Repeat(unlike(i)+" ", 2), b.Len()%7, []string{"red", "blue"}[i%2])
		}
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{From: path, Folder: "demo", Gold: 0.2, MinRows: 8}
	table, err := readTable(&o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := chooseColumns(table, &o)
	if err != nil {
		t.Fatal(err)
	}
	p := &problem{o: o, t: table, columns: c}
	if err := p.readLabels(); err != nil {
		t.Fatal(err)
	}
	p.gather()
	p.setGoldAside()
	var texts []string
	for i := range p.rows {
		texts = append(texts, titles.Normalize(p.rows[i].title))
	}
	side := map[int]bool{}
	for i, g := range dedup.Groups(texts) {
		if p.gold[i] {
			side[g] = true
		}
	}
	met := 0
	for i, g := range dedup.Groups(texts) {
		if side[g] && p.trains(i) {
			met++
		}
	}
	if met > 0 || !p.hasGold() {
		t.Errorf("%d rows that may train are of a story of the gold part of %d rows", met, p.goldRows())
	}
}

// TestRuleWordsAreOfTraining: a word that stands in gold rows alone is no word of a rule.
func TestRuleWordsAreOfTraining(t *testing.T) {
	text := labelled(300, func(i int) string { return []string{"red", "blue"}[i%2] })
	inGold := map[string]bool{}
	for _, rec := range goldOf(t, mustDraft(t, "rows.csv", text, nil)) {
		inGold[rec[0]] = true
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines[1:] {
		id, _, _ := strings.Cut(line, ",")
		word := "training" + []string{"red", "blue"}[i%2]
		if inGold[id] {
			word = "golden" + []string{"red", "blue"}[i%2]
		}
		// The title decides what is drawn, so the word goes into another column.
		lines[i+1] = line + "," + word + " " + word
	}
	lines[0] += ",body"
	d := mustDraft(t, "rows.csv", strings.Join(lines, "\n"), func(o *Options) { o.Text, o.Description, o.Label = "text", "body", []string{"label"} })
	got := string(d.Files["taxonomy.yaml"])
	if strings.Contains(got, "golden") || !strings.Contains(got, "trainingred") || !strings.Contains(got, "trainingblue") {
		t.Errorf("%s", got)
	}
}

// TestLabelsAsPeopleWriteThem: what cells say becomes categories, and the plan says how.
func TestLabelsAsPeopleWriteThem(t *testing.T) {
	of := func(words ...string) func(int) string { return func(i int) string { return words[i%len(words)] } }
	for name, c := range map[string]struct {
		text   string
		change func(*Options)
		plan   []string
		names  string
		single bool
	}{
		"names": {labelled(120, of("Billing & Refunds", "Bug report", "bug-report", "None", "")), nil,
			[]string{`"Billing & Refunds": billing_refunds`}, "bug_report billing_refunds", true},
		"several":        {labelled(120, of("red;blue", "red", "blue;green", "green")), nil, nil, "blue green red", false},
		"comma":          {labelled(120, of(`"red, blue"`, "red", `"blue, green"`, "green")), nil, []string{`separator: ","`}, "blue green red", false},
		"a comma within": {labelled(120, of(`"red, blue"`, "green")), nil, []string{`"red, blue": red_blue`}, "green red_blue", true},
		"numbers":        {labelled(120, of("0", "1", "-1")), nil, []string{`"-1": label_minus_1`, `"0": label_0`}, "label_0 label_1 label_minus_1", true},
		"too few": {labelled(120, func(i int) string {
			if i < 5 {
				return "odd one"
			}
			return []string{"red", "blue"}[i%2]
		}), nil, []string{`odd one: ""`}, "blue red", true},
		"few are enough": {labelled(120, func(i int) string {
			if i < 5 {
				return "odd one"
			}
			return []string{"red", "blue"}[i%2]
		}), func(o *Options) { o.MinRows = 5 }, nil, "blue red odd_one", true},
		"names of columns": {labelled(120, of("url", "Überschrift", "данные", "y")), nil, []string{"url: url_class", "данные: category_"}, "", true},
		"said to be multi": {labelled(120, of("red", "blue")), func(o *Options) { o.Labels = "multi" }, nil, "blue red", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustDraft(t, "rows.csv", c.text, c.change)
			tax, problems := taxonomy.Parse(d.Files["taxonomy.yaml"])
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if got := strings.Join(tax.Names(), " "); c.names != "" && got != c.names || tax.Single != c.single {
				t.Errorf("categories %s, single %v", got, tax.Single)
			}
			for _, want := range c.plan {
				if !strings.Contains(string(d.Files["plan.yaml"]), want) {
					t.Errorf("the plan lacks %s:\n%s", want, d.Files["plan.yaml"])
				}
			}
		})
	}
}

// TestColumnsOfBits: columns with 0 and 1 are categories; exactly one each makes them single.
func TestColumnsOfBits(t *testing.T) {
	table := func(bits func(i int) string) string {
		var b strings.Builder
		b.WriteString("comment,Is Rude,spam,views\n")
		for i := range 200 {
			fmt.Fprintf(&b, "%s,%s,%d\n", unlike(i), bits(i), i)
		}
		return b.String()
	}
	d := mustDraft(t, "rows.csv", table(func(i int) string { return fmt.Sprintf("%d,%d", i%2, i%3/2) }), nil)
	if plan := string(d.Files["plan.yaml"]); !strings.Contains(plan, "{title: comment}") {
		t.Error(plan)
	}
	if tax, _ := taxonomy.Parse(d.Files["taxonomy.yaml"]); tax.Single || !slices.Equal(tax.Names(), []string{"is_rude", "spam"}) {
		t.Error(tax.Names(), tax.Single)
	}
	d = mustDraft(t, "rows.csv", table(func(i int) string { return fmt.Sprintf("%d,%d", i%2, 1-i%2) }), nil)
	if tax, _ := taxonomy.Parse(d.Files["taxonomy.yaml"]); !tax.Single {
		t.Error("one category for each row is not single")
	}
}

// TestMistakes: what cannot be drafted is said with what to do.
func TestMistakes(t *testing.T) {
	good := labelled(100, func(i int) string { return []string{"red", "blue"}[i%2] })
	for name, c := range map[string]struct {
		file, text string
		change     func(*Options)
		want       string
	}{
		"unknown column": {"rows.csv", good, func(o *Options) { o.Text = "txet" }, "--text txet: "},
		"unknown label":  {"rows.csv", good, func(o *Options) { o.Label = []string{"lable"} }, "has the columns id, text, label"},
		"few rows":       {"rows.csv", "text,label\na b c,x\n", nil, "has 1 rows"},
		"no text":        {"rows.csv", "a,b\n" + strings.Repeat("1,2\n", 40), nil, "none looks like text"},
		"all too few":    {"rows.csv", good, func(o *Options) { o.MinRows = 99 }, "have the 99 rows that a category needs"},
		"a spreadsheet":  {"rows.xlsx", good, nil, "rows.xlsx"},
		"a pattern":      {"rows[1].csv", good, nil, "is a pattern in a plan"},
		"no labels":      {"rows.csv", labelled(3000, func(i int) string { return fmt.Sprint("l", i) }), func(o *Options) { o.Label = []string{"label"} }, "more than 2000 different values"},
		"not single":     {"rows.csv", labelled(120, func(i int) string { return []string{"a1;b1", "a1", "b1", "b1;c1", "c1"}[i%5] }), func(o *Options) { o.Labels = "single" }, "several categories"},
	} {
		if _, err := drafted(t, c.file, c.text, c.change); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWithoutAHeader: columns are numbers then.
func TestWithoutAHeader(t *testing.T) {
	_, text, _ := strings.Cut(labelled(100, func(i int) string { return []string{"red", "blue"}[i%2] }), "\n")
	d := mustDraft(t, "rows.csv", text, nil)
	if plan := string(d.Files["plan.yaml"]); !strings.Contains(plan, `title: "2"`) || !strings.Contains(plan, `label: "3"`) {
		t.Error(plan)
	}
}

// TestTagsOfBits: a column of tags beside one of 0 and 1 is taken for the tags of the
// category, in the taxonomy, the plan and the gold part.
func TestTagsOfBits(t *testing.T) {
	var b strings.Builder
	b.WriteString("comment,Is Rude,Is Rude_tag,spam\n")
	for i := range 200 {
		fmt.Fprintf(&b, "%s,%d,%s,%d\n", unlike(i), i%2, []string{"", "insult", "", "threat"}[i%4], i%3/2)
	}
	d := mustDraft(t, "rows.csv", b.String(), nil)
	if plan := string(d.Files["plan.yaml"]); !strings.Contains(plan, "{title: comment}") {
		t.Error(plan)
	}
	tax, problems := taxonomy.Parse(d.Files["taxonomy.yaml"])
	if len(problems) > 0 || !slices.Equal(tax.Categories[0].Tags, []string{"", "insult", "threat"}) {
		t.Errorf("%v %s", problems, d.Files["taxonomy.yaml"])
	}
	gold := string(d.Files["gold.csv"])
	if !strings.HasPrefix(gold, "title,is_rude,is_rude_tag,spam\n") || !strings.Contains(gold, ",1,insult,") || !strings.Contains(gold, ",0,,") {
		t.Error(gold)
	}
}

// TestOtherDelimiter: a table that is read with another delimiter than its own makes no plan,
// be its records unreadable or of one column.
func TestOtherDelimiter(t *testing.T) {
	for name, comma := range map[string]string{"commas in the texts": ", ", "no commas": " "} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(labelled(100, func(i int) string { return []string{"a", "b"}[i%2] }), ",", ";")
			text = strings.ReplaceAll(text, " ", comma)
			mustDraft(t, "rows.csv", text, func(o *Options) { o.Delimiter = ";" })
			_, err := drafted(t, "rows.csv", text, func(o *Options) { o.Delimiter = "," })
			f, ok := errors.AsType[*stages.Failure](err)
			if !ok || f.Code != stages.CodePlan || !strings.Contains(f.Hint, "separated by ;") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestFewUnreadable: less than a tenth of the records is left out, more ends the draft.
func TestFewUnreadable(t *testing.T) {
	text := labelled(100, func(i int) string { return []string{"a", "b"}[i%2] })
	if d := mustDraft(t, "rows.csv", text+strings.Repeat("1,2,3,4,5\n", 11), nil); !slices.Contains(d.Said, "11 records cannot be read, and are left out") {
		t.Errorf("%q", d.Said)
	}
	if _, err := drafted(t, "rows.csv", text+strings.Repeat("1,2,3,4,5\n", 12), nil); err == nil || !strings.Contains(err.Error(), "12 of the 112 records") {
		t.Errorf("%v", err)
	}
}

// TestOtherEncoding: texts that are not in the encoding that is named are counted, and too
// many of them end the draft; the plan reads the table as the draft did.
func TestOtherEncoding(t *testing.T) {
	utf8 := func(o *Options) { o.Encoding = "utf-8" }
	latin := func(every int) string {
		return labelled(100, func(i int) string {
			return []string{"a", "b"}[i%2]
		}) + strings.Repeat("7,caf\xe9 du coin,a\n", every)
	}
	d := mustDraft(t, "rows.csv", latin(3), utf8)
	if !slices.Contains(d.Said, "3 rows not in utf-8, mended with U+FFFD (--encoding)") || !strings.Contains(string(d.Files["plan.yaml"]), "encoding: utf-8") {
		t.Errorf("%q\n%s", d.Said, d.Files["plan.yaml"])
	}
	if _, err := drafted(t, "rows.csv", latin(40), utf8); err == nil || !strings.Contains(err.Error(), "40 of the 140 rows are not in utf-8") {
		t.Errorf("%v", err)
	}
	mustDraft(t, "rows.csv", latin(40), nil)
}

// TestDatesAreNoText: of columns whose names say nothing, the one of dates is not the text,
// though it is the longest.
func TestDatesAreNoText(t *testing.T) {
	for _, day := range []string{"2026-03-%02dT10:00:00.000000Z", "Monday, 1 March 20%02d 10:00", "%02d.3.2026, 10:00:00 Uhr MEZ"} {
		var b strings.Builder
		b.WriteString("what,when,label\n")
		for i := range 100 {
			fmt.Fprintf(&b, "%s,\"%s\",%s\n", unlike(i), fmt.Sprintf(day, 1+i%28), []string{"red", "blue"}[i%2])
		}
		d := mustDraft(t, "rows.csv", b.String(), nil)
		if plan := string(d.Files["plan.yaml"]); !strings.Contains(plan, "title: what") {
			t.Errorf("%s: %s", day, plan)
		}
	}
}

// TestLanguageColumn: a column of languages is mapped by whatever name it has, and neither
// numbers nor the labels themselves are languages.
func TestLanguageColumn(t *testing.T) {
	for _, c := range []struct {
		name string
		of   func(i int) string
		want string
	}{
		{"lang", func(i int) string { return []string{"sv", "en"}[i%2] }, "language: lang"},
		{"locale", func(int) string { return "pt-BR" }, "language: locale"},
		{"language", func(i int) string { return []string{"Swedish", "English"}[i%2] }, ""},
		{"lang", func(i int) string { return fmt.Sprint(i % 3) }, ""},
	} {
		var b strings.Builder
		fmt.Fprintf(&b, "title,label,%s\n", c.name)
		for i := range 60 {
			fmt.Fprintf(&b, "%s,%s,%s\n", unlike(i), []string{"red", "blue"}[i/2%2], c.of(i))
		}
		plan := string(mustDraft(t, "rows.csv", b.String(), nil).Files["plan.yaml"])
		if strings.Contains(plan, "language: ") != (c.want != "") || !strings.Contains(plan, c.want) {
			t.Errorf("%s:\n%s", c.name, plan)
		}
	}
}
