package rows_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows"
)

// TestNamedColumns: columns mean what the layout says, else what their names say; of names
// that only case tells apart the exact one counts.
func TestNamedColumns(t *testing.T) {
	named := map[string]string{"title": "subject", "description": "body", "published": "sent", "label": "Category", "x_score": "x"}
	for name, c := range map[string]struct {
		columns map[string]string
		csv     string
		want    string // title, description, url, seen_at, label, categories
	}{
		"named":             {named, "subject,body,sent,category,x\na,b,c,d;e,1\n", "a b  c d;e [x]"},
		"no case":           {nil, "Title,URL,DESCRIPTION,Label\na,u,b,l\n", "a b u  l []"},
		"exact before case": {nil, "Title,title,TITLE\nno,a,no\n", "a     []"},
		"first of two":      {nil, "Title,TITLE\na,no\n", "a     []"},
		"not the own name":  {map[string]string{"title": "subject"}, "title,subject,Title\nno,a,no\n", "a     []"},
		"names in a circle": {map[string]string{"title": "description", "description": "title"}, "title,description\nb,a\n", "a b    []"},
		"label as it is":    {nil, "title,label,category\na, L / x ,no\n", "a     L / x  []"},
	} {
		t.Run(name, func(t *testing.T) {
			show := func(text string, format string) string {
				got, err := rows.Read(strings.NewReader(text), rows.Layout{Format: format, Columns: c.columns})
				if err != nil || len(got.Rows) != 1 {
					t.Fatalf("%v, %+v", err, got)
				}
				r := got.Rows[0]
				return strings.Join([]string{r.Title, r.Description, r.URL, r.SeenAt, r.Label, fmt.Sprint(got.Categories)}, " ")
			}
			if got := show(c.csv, rows.CSV); got != c.want {
				t.Errorf("csv: got %q, want %q", got, c.want)
			}
			lines := strings.Split(c.csv, "\n")
			var fields []string
			for i, n := range strings.Split(lines[0], ",") {
				fields = append(fields, fmt.Sprintf("%q:%q", n, strings.Split(lines[1], ",")[i]))
			}
			if name == "first of two" {
				return // objects have no order
			}
			if got := show("{"+strings.Join(fields, ",")+"}", rows.JSONL); got != c.want {
				t.Errorf("jsonl: got %q, want %q", got, c.want)
			}
		})
	}
}

// TestLabelColumn: a table has the column label only if one of its rows has such a text.
func TestLabelColumn(t *testing.T) {
	for label, want := range map[string]bool{"": false, "sports": true} {
		var b bytes.Buffer
		if err := rows.WriteParquet(&b, []rows.Row{{Title: "a"}, {Title: "b", Label: label}}, nil); err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(b.Bytes(), []byte("label\x15")) || bytes.Contains(b.Bytes(), []byte("\x05label")); got != want {
			t.Errorf("%q: the column is there: %v", label, got)
		}
		got, _, err := rows.DecodeParquet(&b)
		if err != nil || got[1].Label != label {
			t.Errorf("%v: %+v", err, got)
		}
	}
}

func TestCheckColumns(t *testing.T) {
	for want, columns := range map[string]map[string]string{
		"":                              {"title": "subject", "x_score": "x", "published": "date"},
		"no column of rows is called":   {"titel": "subject"},
		"the name of the file's":        {"title": ""},
		`description is the column "a"`: {"title": "a", "description": "a"},
	} {
		problems := rows.CheckColumns("files.columns", columns)
		if len(problems) == 0 && want == "" {
			continue
		}
		if len(problems) != 1 || !strings.Contains(problems[0].Message, want) {
			t.Errorf("%v: %+v, want %q", columns, problems, want)
		}
	}
}
