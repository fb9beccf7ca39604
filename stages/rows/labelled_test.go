package rows_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
	"pgregory.net/rapid"
)

var labelCategories = []rows.Category{
	{Name: "crime", Tags: []string{"", "theft", "hit and run"}},
	{Name: "sports", Tags: []string{"", "football"}},
	{Name: "real_estate", Tags: []string{""}},
}

func gold(text, format string, form rows.LabelForm, columns map[string]string) (*rows.Gold, error) {
	return rows.ReadGold(strings.NewReader(text), rows.Layout{Format: format, Labels: form, Columns: columns}, labelCategories)
}

// TestGoldForms: the three forms of one set, and the spellings of people, read equal.
func TestGoldForms(t *testing.T) {
	want := [][]rows.Label{{{Score: 1, Tag: "theft"}, {}, {}}, {{}, {Score: 1}, {Score: 1}}, {{}, {}, {}}}
	for name, c := range map[string]struct {
		text, format string
		form         rows.LabelForm
		columns      map[string]string
	}{
		"0 and 1":    {text: "id,title,crime,crime_tag,sports,real_estate\n1,a,1,theft,0,0\n2,b,0,,1,1\n3,c,0,,0,0\n"},
		"words":      {text: "id,title,crime,crime_tag,sports,real_estate\n1,a,Yes,theft,no,false\n2,b,NO,,true,TRUE\n3,c,no,,no,no\n"},
		"score":      {text: "id,title,crime_score,crime_tag,sports_score,real_estate_score\n1,a,1.0,theft,0,0\n2,b,0,,1,1\n3,c,0,,0,0\n"},
		"label":      {text: "id,title,label\n1,a,crime/theft\n2,b,sports;real_estate\n3,c,\n"},
		"tag beside": {text: "id,title,label,crime_tag\n1,a,crime,theft\n2,b,sports; real_estate,\n3,c,none,\n"},
		"folded":     {text: "title,Label\na,Crime / Theft\nb,SPORTS;Real Estate\nc,None\n"},
		"headers":    {text: "Title,Crime,Crime_tag,SPORTS,Real Estate\na,1,theft,0,0\nb,0,,1,1\nc,0,,0,0\n"},
		"mapped":     {text: "subject,what\na,Stöld\nb,Sport|real-estate\nc,Other\n", form: rows.LabelForm{Separator: "|", Values: map[string]string{"stöld": "crime/theft", "Sport": "sports", "other": "none"}}, columns: map[string]string{"title": "subject", "label": "what"}},
		"unmapped":   {text: "title,label\na,crime/theft\nb,sports;real_estate\nc,\n", columns: map[string]string{"title": "subject", "label": "what"}},
		"jsonl":      {text: `{"title":"a","label":"crime/theft"}` + "\n" + `{"title":"b","crime":false,"sports":true,"real_estate":1}` + "\n" + `{"title":"c","label":""}`, format: rows.JSONL},
	} {
		if c.format == "" {
			c.format = rows.CSV
		}
		g, err := gold(c.text, c.format, c.form, c.columns)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, r := range g.Rows {
			if d := cmp.Diff(want[i], r.Labels); d != "" || r.Title != string(rune('a'+i)) || r.LabelSource != "gold" || r.Label != "" {
				t.Errorf("%s: row %d %+v\n%s", name, i, r, d)
			}
		}
		if len(g.Rows) != 3 || len(g.Odd) != 0 {
			t.Errorf("%s: %d rows, odd: %v", name, len(g.Rows), g.Odd)
		}
	}
}

// TestGoldMistakes: each is told with its row and column, all together.
func TestGoldMistakes(t *testing.T) {
	for name, c := range map[string]struct{ text, want, hint string }{
		"missing category":  {"id,title,crime,sprots\n1,T,1,0\n", `no column sports, and none called label, says which rows are of this category; the columns are id, title, crime, sprots; is it the column "sprots"?`, "labels stand in one column label"},
		"no title":          {"id,crime,sports,real_estate\n1,1,0,0\n", "no column is called title; the columns are crime, id, real_estate, sports", "columns: {title: NAME}"},
		"not 0 or 1":        {"id,title,crime,sports,real_estate\n1,T,0.5,0,0\n", `row 1: column crime holds "0.5", want 0 or 1`, ""},
		"empty":             {"id,title,crime,sports,real_estate\n1,T,1,0,0\n2,U,,0,0\n", "row 2: column crime is empty, want 0 or 1", ""},
		"word":              {"id,title,crime,sports,real_estate\n1,T,maybe,0,0\n", `row 1: column crime: "maybe" is no number, and neither yes nor no`, ""},
		"unknown tag":       {"id,title,crime,crime_tag,sports,real_estate\n1,T,1,teft,0,0\n", `row 1: column crime_tag: category crime has no tag "teft"`, `did you mean "theft"?`},
		"unknown label":     {"id,title,label\n1,T,sport\n", `row 1: column label: "sport" is no category`, `did you mean "sports"?`},
		"far label":         {"id,title,label\n1,T,weather\n", `row 1: column label: "weather" is no category`, "the categories are crime, sports, real_estate, and none"},
		"label's tag":       {"id,title,label\n1,T,crime/teft\n", `row 1: column label: category crime has no tag "teft"`, `did you mean "crime/theft"?`},
		"two tags":          {"id,title,label\n1,T,crime/theft;crime/hit and run\n", `row 1: column label: "crime/theft;crime/hit and run" gives category crime two tags`, ""},
		"none and more":     {"id,title,label\n1,T,none;crime\n", `"none;crime" says none and a category`, ""},
		"tags disagree":     {"id,title,label,crime_tag\n1,T,crime/theft,hit and run\n", "row 1: column crime_tag says hit and run, column label says crime/theft", ""},
		"no rows":           {"id,title,crime,sports,real_estate\n", "it has no rows", ""},
		"nothing":           {"", "it has no rows", ""},
		"short row":         {"id,title,crime,sports,real_estate\n1\n", "row 1: 1 fields", ""},
		"two of a name":     {"id,title,label,title\n1,T,crime,U\n", "two columns are called title", "rename one"},
		"two labels":        {"id,title,label,label\n1,T,crime,sports\n", "two columns are called label", "rename one"},
		"two notes":         {"id,title,note,label,note\n1,T,x,crimes,y\n", `row 1: column label: "crimes" is no category`, ""},
		"several":           {"title,label\na,x\nb,crime\nc,y\n,crime\n", `row 1: column label: "x" is no category; row 3: column label: "y" is no category; row 4: no title`, ""},
		"more than is told": {"title,label\na,x\nb,x\nc,x\nd,x\ne,x\n", "; and 2 more", ""},
	} {
		_, err := gold(c.text, rows.CSV, rows.LabelForm{}, nil)
		var list rows.Mistakes
		if !errors.As(err, &list) || !strings.Contains(err.Error(), c.want) || !strings.Contains(rows.HintOf(err, ""), c.hint) {
			t.Errorf("%s: %v\n%s", name, err, rows.HintOf(err, ""))
		}
	}
}

// TestGoldOdd: what nobody reads is named, and so is a set on which nothing can be
// measured.
func TestGoldOdd(t *testing.T) {
	for text, want := range map[string]string{
		"id,title,crime,sports,real_estate,food,food_tag,note\n1,T,1,0,0,1,x,y\n": "column food is no category (crime, sports, real_estate); it is ignored",
		"id,title,crime,sports,real_estate,label\n1,T,1,0,0,x\n":                  "column label is not read: the categories have columns of their own",
		"id,title,crime,label\n1,T,1,sports\n":                                    "column crime is not read: the column label says the categories",
		"id,title,label\n1,T,\n2,U,none\n":                                        "none of its 2 rows is of a category: no F1 can be measured on it",
		"id,title,crime,sports,real_estate,sport_tag\n1,T,1,0,0,\n":               "column sport_tag is no category (crime, sports, real_estate); it is ignored",
	} {
		g, err := gold(text, rows.CSV, rows.LabelForm{}, nil)
		if err != nil || len(g.Odd) != 1 || g.Odd[0].Message != want {
			t.Errorf("%q: %v %+v", text, err, g)
		}
	}
}

// TestFormsReadEqual: labels written in each form are the labels that were meant.
func TestFormsReadEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		separator := rapid.SampledFrom([]string{";", ",", "|"}).Draw(t, "separator")
		n := rapid.IntRange(1, 5).Draw(t, "rows")
		var want [][]rows.Label
		var label, flag, score strings.Builder
		label.WriteString("title,label\n")
		flag.WriteString("title,crime,crime_tag,sports,sports_tag,real_estate\n")
		score.WriteString("title,crime_score,crime_tag,sports_score,sports_tag,real_estate_score\n")
		for i := range n {
			labels := make([]rows.Label, len(labelCategories))
			var parts []string
			cells := fmt.Sprintf("t%d", i)
			for k, c := range labelCategories {
				if rapid.Bool().Draw(t, c.Name) {
					labels[k] = rows.Label{Score: 1, Tag: rapid.SampledFrom(c.Tags).Draw(t, "tag")}
					parts = append(parts, strings.TrimSuffix(c.Name+"/"+labels[k].Tag, "/"))
				}
				cells += fmt.Sprintf(",%g", labels[k].Score)
				if len(c.Tags) > 1 {
					cells += "," + labels[k].Tag
				}
			}
			want = append(want, labels)
			fmt.Fprintf(&label, "t%d,%q\n", i, strings.Join(rapid.Permutation(parts).Draw(t, "order"), separator))
			flag.WriteString(cells + "\n")
			score.WriteString(cells + "\n")
		}
		for _, text := range []string{label.String(), flag.String(), score.String()} {
			g, err := gold(text, rows.CSV, rows.LabelForm{Separator: separator}, nil)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			for i, r := range g.Rows {
				if d := cmp.Diff(want[i], r.Labels); d != "" {
					t.Fatalf("%s\n%s", text, d)
				}
			}
		}
	})
}

// TestValues: what a form says stands for something, and case never matters.
func TestValues(t *testing.T) {
	_, err := rows.NewVocabulary(labelCategories, rows.LabelForm{Values: map[string]string{"Sport": "sprots"}})
	var unknown *rows.UnknownLabel
	if !errors.As(err, &unknown) || unknown.For != "Sport" || unknown.Meant != "sports" {
		t.Errorf("%v %+v", err, unknown)
	}
	v, err := rows.NewVocabulary(labelCategories, rows.LabelForm{Values: map[string]string{"Law; order": "crime", "?": "", "crime": "sports", "A": "crime", "a": "sports"}})
	if err != nil {
		t.Fatal(err)
	}
	for cell, want := range map[string]int{"Law; order": 0, "law; ORDER": -2, "?": -1, "": -1, " ; ": -1, "Crime": 1, "A": 0, "a": 1, "sports;?": 1} {
		labels, err := v.Parse(cell)
		got := -1
		for i, l := range labels {
			if l.Score > 0 {
				got = i
			}
		}
		if err != nil {
			got = -2
		}
		if got != want {
			t.Errorf("%q: %d %v, want %d", cell, got, err, want)
		}
	}
}

func FuzzLabelCell(f *testing.F) {
	for _, s := range []string{"crime/theft;sports", "none", "Real Estate|x", "crime/hit and run", "////", ";;,", "\xff", "NONE;none"} {
		f.Add(s, ";")
	}
	f.Fuzz(func(t *testing.T, cell, separator string) {
		if len(rows.CheckLabelForm("", rows.LabelForm{Separator: separator})) > 0 {
			return
		}
		v, err := rows.NewVocabulary(labelCategories, rows.LabelForm{Separator: separator, Values: map[string]string{"Sport": "sports", "Other": "none"}})
		if err != nil {
			t.Fatal(err)
		}
		var labels []rows.Label
		fuzztest.Bounded(t, func() { labels, err = v.Parse(cell) })
		again, err2 := v.Parse(cell)
		if fmt.Sprint(labels, err) != fmt.Sprint(again, err2) {
			t.Fatalf("%q reads %v, then %v", cell, labels, again)
		}
		if err != nil {
			if labels != nil || err.Error() == "" {
				t.Fatalf("%q: %v with %v", cell, labels, err)
			}
			return
		}
		if labels == nil {
			return
		}
		// Written as it should be, it reads the same.
		var parts []string
		for i, l := range labels {
			c := labelCategories[i]
			if l.Score != 0 && l.Score != 1 || l.Abstain || l.Score == 0 && l.Tag != "" {
				t.Fatalf("%q: %+v", cell, l)
			}
			if l.Score == 1 {
				parts = append(parts, strings.TrimSuffix(c.Name+"/"+l.Tag, "/"))
			}
		}
		if len(parts) == 0 {
			parts = []string{rows.None}
		}
		if separator == "" {
			separator = ";"
		}
		plain, err := v.Parse(strings.Join(parts, separator))
		if d := cmp.Diff(labels, plain); err != nil || d != "" {
			t.Fatalf("%q as %v: %v\n%s", cell, parts, err, d)
		}
	})
}
