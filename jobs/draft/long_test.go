package draft

import (
	"fmt"
	"strings"
	"testing"
)

// TestLongTraining: who brings so many rows that a fine-tuning takes a day is told of the
// other way before it begins; who brings some hundred is not.
func TestLongTraining(t *testing.T) {
	for n, want := range map[int]bool{400: false, 45_000: true} {
		var b strings.Builder
		b.WriteString("text,label\n")
		for i := range n {
			fmt.Fprintf(&b, "%s %s,%s\n", unlike(i), unlike(i/7), []string{"a", "b"}[i%2])
		}
		d := mustDraft(t, "rows.csv", b.String(), nil)
		said := strings.Contains(strings.Join(d.Said, "\n"), "train.method=heads")
		if planned := strings.Contains(string(d.Files["plan.yaml"]), "train.method=heads"); said != want || planned != want {
			t.Errorf("%d rows: said %v, in the plan %v, want %v: %q", n, said, planned, want, d.Said)
		}
	}
}
