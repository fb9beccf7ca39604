package draft

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestUnusableRows: the plan allows as many unusable rows as the table has, since fetch
// refuses more than one in a hundred; one that has fewer says nothing about them.
func TestUnusableRows(t *testing.T) {
	for _, c := range []struct {
		untitled, unreadable int
		want                 string
	}{
		{1, 0, ""},
		{0, 1, ""},
		{6, 0, "max_bad_rows: 0.06 #"},
		{0, 6, "max_bad_rows: 0.06 #"},
		{25, 2, "max_bad_rows: 0.22 #"},
	} {
		text := labelled(100, func(i int) string { return []string{"a", "b"}[i%2] }) +
			strings.Repeat("7, ,a\n", c.untitled) + strings.Repeat("1,2,3,4,5\n", c.unreadable)
		d := mustDraft(t, "rows.csv", text, nil)
		plan := string(d.Files["plan.yaml"])
		if strings.Contains(plan, "max_bad_rows") != (c.want != "") || !strings.Contains(plan, c.want) {
			t.Errorf("%d without a text and %d that cannot be read:\n%s", c.untitled, c.unreadable, plan)
		}
		if said := fmt.Sprintf("%s without a text, which are left out", count(c.untitled, "row")); slices.Contains(d.Said, said) != (c.untitled > 0) {
			t.Errorf("said %q", d.Said)
		}
	}
}

// TestFewRowsOfEach: the plan of a table whose categories are small has a check that can
// pass, and a split that gives each side rows.
func TestFewRowsOfEach(t *testing.T) {
	for _, c := range []struct {
		categories, rows int
		gold             float64
		split, check     string
	}{
		{4, 60, 0.2, "{train: 0.6, val: 0.2, test: 0.2}, seed: 1}", "macro_f1, set: gold"},
		{5, 12, 0.2, "{train: 0.6, val: 0.2, test: 0.2}, seed: 1}", "micro_f1, set: gold, min: 0.36} # one answer for all has 0.20"},
		{5, 12, 0, "{train: 0.6, val: 0.2, test: 0.2}, seed: 1}", "micro_f1, set: test"},
		{60, 8, 0.2, "{train: 0.6, val: 0.2, test: 0.2}, seed: 1}", "micro_f1, set: gold"},
		{60, 3, 0.2, "{train: 0.6, val: 0.2, test: 0.2}, seed: 1, stratify: false}", "micro_f1, set: gold"},
	} {
		text := labelled(c.categories*c.rows, func(i int) string { return fmt.Sprintf("c%d", i%c.categories) })
		plan := string(mustDraft(t, "rows.csv", text, func(o *Options) { o.Gold, o.MinRows, o.Label = c.gold, 3, []string{"label"} }).Files["plan.yaml"])
		if !strings.Contains(plan, c.split) || !strings.Contains(plan, c.check) || strings.Contains(c.check, "micro") && strings.Contains(plan, "id: gain") {
			t.Errorf("%d categories of %d rows, want %s and %s:\n%s", c.categories, c.rows, c.split, c.check, plan)
		}
	}
}

// TestColumnTwice: a table that has a column twice is refused if the column counts.
func TestColumnTwice(t *testing.T) {
	for header, refused := range map[string]bool{"text,label,text": true, "text,label,label": true, "text,label,url,url": true, "text,label,note,note": false} {
		text := header + "\n"
		for i := range 100 {
			text += unlike(i) + "," + []string{"red", "blue"}[i%2] + strings.Repeat(","+unlike(i+100), strings.Count(header, ",")-1) + "\n"
		}
		if _, err := drafted(t, "rows.csv", text, nil); refused != (err != nil) || refused && !strings.Contains(err.Error(), "has two columns called") {
			t.Errorf("%s: %v", header, err)
		}
	}
}
