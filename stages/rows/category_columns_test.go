package rows_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows"
)

// TestColumnsOfCategories: a column with the name of a category holds its labels, as
// <category>_score does, unless a column label says more.
func TestColumnsOfCategories(t *testing.T) {
	for name, c := range map[string]struct{ format, in, want string }{
		"plain":          {rows.CSV, "title,sports,crime,crime_tag\na,1,0,\nb,no,yes,theft\n", "sports=1 crime=0|sports=0 crime=1/theft"},
		"as people":      {rows.CSV, "title,Sports,Road works,Road works_tag\na,0,1,ice\n", "sports=0 road_works=1/ice"},
		"scores first":   {rows.CSV, "title,sports,sports_score\na,0,1\n", "sports=1"},
		"scores of ours": {rows.CSV, "title,Sports_score\na,0.5\n", "sports=0.5"},
		"empty":          {rows.CSV, "title,sports,crime\na,,1\n", "sports=? crime=1"},
		"no label":       {rows.CSV, "title,sports,crime\na,maybe,1\n", "sports: \"maybe\" is no number, and neither yes nor no"},
		"another":        {rows.CSV, "title,weather\na,1\n", ""},
		"beside a label": {rows.CSV, "title,label,sports\na,crime,football\n", "label crime"},
		"jsonl":          {rows.JSONL, `{"title":"a","sports":1}` + "\n" + `{"title":"b","crime":true,"sports":0}`, "sports=1|sports=0 crime=1"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			layout := rows.Layout{Format: c.format, Titled: true, Categories: []string{"sports", "crime", "road_works"}}
			_, _, err := rows.Each(strings.NewReader(c.in), layout, &rows.Budget{}, func(r *rows.Row, categories []string) error {
				var parts []string
				if r.Problem != "" {
					parts = append(parts, r.Problem)
				}
				if r.Label != "" {
					parts = append(parts, "label "+r.Label)
				}
				for i, l := range r.Labels {
					text := fmt.Sprintf("%s=%v", categories[i], l.Score)
					if l.Abstain {
						text = categories[i] + "=?"
					}
					if l.Tag != "" {
						text += "/" + l.Tag
					}
					parts = append(parts, text)
				}
				got = append(got, strings.Join(parts, " "))
				return nil
			})
			if text := strings.Join(got, "|"); err != nil || text != c.want {
				t.Errorf("%q, %v; want %q", text, err, c.want)
			}
		})
	}
}
