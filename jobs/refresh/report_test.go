package refresh_test

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/refresh"
)

// TestReportIsInert: what others wrote becomes no link, no mention and no cell of a table.
func TestReportIsInert(t *testing.T) {
	var b strings.Builder
	o := &refresh.Result{Model: "news", Why: `www.bad.example, https://bad.example, ask @team, a\|b`}
	if err := o.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, live := range []string{"www.bad", "https://", " @team", `a\|b`} {
		if strings.Contains(b.String(), live) {
			t.Errorf("%q is in %s", live, b.String())
		}
	}
}
