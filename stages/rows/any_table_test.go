package rows_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// TestAnyTable: tables are read as people have them, and one of which it is not known what
// its columns mean says what to write.
func TestAnyTable(t *testing.T) {
	many := strings.Repeat("7;Storm closes the harbour, again;x\n", 60)
	for name, c := range map[string]struct {
		layout rows.Layout
		in     string
		want   string // titles, or a part of the error
	}{
		"comma":           {rows.Layout{}, "id,title\n1,a;b\n", "a;b"},
		"semicolon":       {rows.Layout{}, "id;title\n1;a,b\n2;\"c;d\"\n", "a,b|c;d"},
		"tab":             {rows.Layout{}, "id\ttitle\n1\ta, b\n", "a, b"},
		"pipe":            {rows.Layout{}, "id|Title\n1|a,b\n", "a,b"},
		"one column":      {rows.Layout{}, "title\na;b\n", "a;b"},
		"delimiter given": {rows.Layout{Delimiter: "#"}, "id#title\n1#a,b;c\n", "a,b;c"},
		"tab given":       {rows.Layout{Delimiter: "tab"}, "id\ttitle\n1\ta\n", "a"},
		"numbers":         {rows.Layout{Columns: map[string]string{"title": "2"}}, "7;Storm closes it;x\n8;Two;y\n", "Storm closes it|Two"},
		"utf-16":          {rows.Layout{}, "\xff\xfet\x00i\x00t\x00l\x00e\x00\n\x00\xe5\x00\n\x00", "å"},
		"latin-1":         {rows.Layout{}, "title\nWomen\xe9s\n", "Womenés"},
		"live":            {rows.Layout{Live: true}, "title\nb\xe9\n", "b\uFFFD"},
		"array":           {rows.Layout{Format: rows.JSONL}, "[\n {\"title\": \"a\"},\n {\"title\": \"b\"}\n]\n", "a|b"},
		"array, one line": {rows.Layout{Format: rows.JSONL}, `[{"title":"a"},3,{"title":"b"}]`, "a|b"},

		"other names":     {rows.Layout{}, "id,subject,body\n1,a,b\n", "x has the columns id, subject, body and none is called title; say which one is: files: {columns: {title: subject, description: body}}"},
		"wrong delimiter": {rows.Layout{Delimiter: ","}, "id;subject\n1;a\n", `x has a header of one column, id;subject, by the delimiter ","; is it delimiter: ";"? auto finds it out`},
		"wrong tab":       {rows.Layout{Delimiter: "tab"}, "id,subject\n1,a\n", `by the delimiter "tab"; is it delimiter: ","?`},
		"other delimiter": {rows.Layout{}, "id;subject;body\n" + many, "x has the columns id, subject, body and none is called title"},
		"longest":         {rows.Layout{}, "a,b,c\n1,a long text of words,x\n", "none is called title; say which one is: files: {columns: {title: b}}"},
		"quoted name":     {rows.Layout{}, "nr,Überschrift\n1,a long text of words\n", `files: {columns: {title: "Überschrift"}}`},
		"fields":          {rows.Layout{Format: rows.JSONL}, `{"id":1,"headline":"a","body":"b"}`, "x has the fields id, headline, body and none is called title; say which one is: files: {columns: {title: headline, description: body}}"},
		"misspelt":        {rows.Layout{Columns: map[string]string{"title": "subjct"}}, "id,subject\n1,a\n", "x has the columns id, subject and none is called subjct, which files.columns names as title; did you mean files: {columns: {title: subject}}?"},
		"flag":            {rows.Layout{Flag: "--columns"}, "nr,message,body\n1,a,b\n", "x has the columns nr, message, body and none is called title; say --columns title=message,description=body"},
		"flag, quoted":    {rows.Layout{Flag: "--columns"}, "nr,the text\n1,it's long\n", "say --columns 'title=the text'"},
		"flag, misspelt":  {rows.Layout{Flag: "--columns", Columns: map[string]string{"title": "mesage"}}, "nr,message\n1,a\n", "x has the columns nr, message and none is called mesage; did you mean --columns title=message?"},
		"flag, no header": {rows.Layout{Flag: "--columns"}, many, "which column is the title: --columns title=2"},
		"no such number":  {rows.Layout{Columns: map[string]string{"title": "4"}}, "1,a\n", "x has 2 columns, and title is to be column 4"},
		"no header":       {rows.Layout{}, many, "x has no header, its first row is 7, \"Storm closes the harbour, again\", x; say by number which column is the title: files: {columns: {title: \"2\"}}"},
		"two of a name":   {rows.Layout{}, "title,label,title\na,x,b\n", "x has two columns called title: rename one in its header, so that the other one counts"},
		"two renamed":     {rows.Layout{Columns: map[string]string{"title": "text"}}, "text,id,text\na,1,b\n", "x has two columns called text: "},
		"two categories":  {rows.Layout{Categories: []string{"fire"}}, "title,fire,fire\na,1,0\n", "x has two columns called fire: "},
		"two of no use":   {rows.Layout{Columns: map[string]string{"title": "text"}}, "text,title,note,title,note\na,b,c,d,e\n", "a"},
		"cut array":       {rows.Layout{Format: rows.JSONL}, `[{"title":"a"},{"ti`, "the array ends in the middle"},
		"one object":      {rows.Layout{Format: rows.JSONL}, "{\n\"data\": [\n]\n}\n", "none of 4 lines is a JSON object"},
		"no parquet":      {rows.Layout{Format: rows.Parquet}, strings.Repeat("rubbish ", 10), "it is no Parquet file"},
		"empty parquet":   {rows.Layout{Format: rows.Parquet}, "", "it is no Parquet file: it is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.layout.Format == "" {
				c.layout.Format = rows.CSV
			}
			c.layout.Titled = true
			var titles []string
			_, _, err := rows.Each(strings.NewReader(c.in), c.layout, &rows.Budget{}, func(r *rows.Row, _ []string) error {
				if r.Problem == "" {
					titles = append(titles, r.Title)
				}
				return nil
			})
			got := strings.Join(titles, "|")
			if err != nil {
				var f *stages.Failure
				if err = rows.Unreadable(stages.CodePlan, "", "x", err); !errors.As(err, &f) || f.Code != stages.CodePlan || strings.Contains(fmt.Sprint(f.Hint), "max_bad_rows") {
					t.Errorf("%#v", err)
				}
				got = err.Error()
			}
			if !strings.Contains(got, c.want) || err == nil && got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
