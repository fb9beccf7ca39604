package draft

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
)

// TestUnfitLabel: a column that is called a label and is none by what it holds is named with
// the reason, and one that nobody wants is not.
func TestUnfitLabel(t *testing.T) {
	few := labelled(120, func(i int) string { return fmt.Sprintf("c%d", i%40) })
	for text, want := range map[string]string{
		few: "(label has 40 different values in 120 rows, which is few rows for each: --label label --min-rows N takes it)",
		labelled(120, func(int) string { return "" }):     "(label has no text and no number in its cells, and lists are not read)",
		labelled(120, func(int) string { return "same" }): "(label has one value)",
	} {
		if d := mustDraft(t, "rows.csv", text, nil); !strings.Contains(strings.Join(d.Said, "\n"), "label: no column "+want+"; ") {
			t.Errorf("want %s, said %q", want, d.Said)
		}
	}
	if d := mustDraft(t, "rows.csv", few, func(o *Options) { o.Label = []string{None} }); !strings.Contains(strings.Join(d.Said, "\n"), "label: no column; ") {
		t.Errorf("said %q", d.Said)
	}
}

// TestUndetectedEncoding: who named no encoding is not told to leave it out.
func TestUndetectedEncoding(t *testing.T) {
	text := labelled(100, func(i int) string { return []string{"a", "b"}[i%2] }) + strings.Repeat("7,\x93\x8c\x8b\x9e\x82\xc5\x96\xec\x8b\x85,a\n", 60)
	for _, encoding := range []string{"", "utf-8"} {
		_, err := drafted(t, "rows.csv", text, func(o *Options) { o.Encoding = encoding })
		f, ok := errors.AsType[*stages.Failure](err)
		if !ok || strings.Contains(f.Hint, "leave --encoding out") != (encoding != "") {
			t.Errorf("%q: %v", encoding, err)
		}
	}
}

// TestNamesOfOtherLetters: a category that is numbered, since its name would have no letter,
// is shown with what the table calls it.
func TestNamesOfOtherLetters(t *testing.T) {
	d := mustDraft(t, "rows.csv", labelled(120, func(i int) string { return []string{"経済", "政治", "law"}[i%3] }), nil)
	said, taxonomy := strings.Join(d.Said, "\n"), string(d.Files["taxonomy.yaml"])
	if !strings.Contains(said, "law 40, category_2 (政治) 40, category_3 (経済) 40") {
		t.Errorf("said %q", d.Said)
	}
	for _, want := range []string{"  - name: law # 40 rows\n", "  - name: category_2 # 政治, 40 rows\n", "  - name: category_3 # 経済, 40 rows\n"} {
		if !strings.Contains(taxonomy, want) {
			t.Errorf("no %q in\n%s", want, taxonomy)
		}
	}
}
