package rows

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestReferenceFiles reads what the pipeline that sprint replaces wrote: 22
// columns, 175 and 75 rows, nine categories. The files are real data and lie
// outside the repository; elsewhere the same columns are covered by
// TestParquet's own files.
func TestReferenceFiles(t *testing.T) {
	for name, want := range map[string]int{"reference-train.parquet": 175, "reference-val.parquet": 75} {
		f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "gdelt-sv", name))
		if err != nil {
			t.Logf("not here: %v", err)
			continue
		}
		defer f.Close()
		rows, categories, err := DecodeParquet(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != want || len(categories) != 9 || !slices.Contains(categories, "transportation") {
			t.Errorf("%s: %d rows, categories %v", name, len(rows), categories)
		}
		for _, r := range rows {
			if r.Title == "" || len(r.Labels) != 9 {
				t.Fatalf("%s: row %+v", name, r)
			}
		}
	}
}
