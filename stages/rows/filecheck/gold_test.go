package filecheck_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/filecheck"
)

// TestFewGold: that no macro-F1 can be had is told before anything trains.
func TestFewGold(t *testing.T) {
	for n, want := range map[int]string{0: "none of its 1 rows is of a category", 7: "no category has 8 of its 8 rows, the largest has 7: there is no macro-F1", 8: ""} {
		path := filepath.Join(t.TempDir(), "gold.csv")
		if err := os.WriteFile(path, []byte("title,fire,money\nx,0,0\n"+strings.Repeat("a,1,0\n", n)), 0o600); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, p := range filecheck.Gold("gold", path, rows.Layout{}, []rows.Category{{Name: "fire"}, {Name: "money"}}) {
			if !p.Warning {
				t.Errorf("%d rows: %+v is no warning", n, p)
			}
			got += p.Message
		}
		if (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%d rows: %q, want %q", n, got, want)
		}
	}
}
