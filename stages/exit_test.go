package stages_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sprint-ml/sprint/stages"
)

// TestExits spells the codes and classes that scripts and stored results rely
// on.
func TestExits(t *testing.T) {
	want := map[stages.Code]string{
		0: "done", 1: "stage failed", 2: "usage", 3: "plan invalid", 4: "environment", 5: "verify gate failed",
		6: "work pending", 7: "lease held", 8: "out of memory", 9: "integrity", 10: "publish refused",
		11: "source short", 75: "interrupted", 124: "deadline", 130: "interrupted twice",
	}
	got, last := map[stages.Code]string{}, stages.Code(-1)
	for _, e := range stages.Exits() {
		if e.Code <= last || e.Meaning == "" {
			t.Errorf("the row of code %d is out of order or means nothing", e.Code)
		}
		got[e.Code], last = e.Code.Class(), e.Code
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if c := stages.Code(42).Class(); c != "code 42" {
		t.Errorf("a code outside the table is %q", c)
	}
}
