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
