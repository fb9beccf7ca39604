package rows_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// TestOpenGoldCodes: a missing file is the plan's mistake wherever it is met; one
// that cannot be read is so only where a plan is checked.
func TestOpenGoldCodes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"columns.csv": "url,title\nu,T\n", "broken.parquet": "PAR1", "unknown.txt": "T"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, inStage := range map[string]stages.Code{
		"missing.csv": stages.CodePlan, "columns.csv": stages.CodeStage, "broken.parquet": stages.CodeStage, "unknown.txt": stages.CodeStage,
	} {
		path := filepath.Join(dir, name)
		lookup := &stagetest.Lookup{}
		info, _ := lookup.File(t.Context(), path)
		_, staged := rows.OpenGold(t.Context(), storeio.Files{path: info}, path, rows.Layout{}, []rows.Category{{Name: "crime"}})
		_, planned := rows.OpenPlannedGold(path, rows.Layout{}, []rows.Category{{Name: "crime"}})
		for err, want := range map[error]stages.Code{staged: inStage, planned: stages.CodePlan} {
			var f *stages.Failure
			if !errors.As(err, &f) || f.Code != want || f.Hint == "" {
				t.Errorf("%s: %v, want code %d and a hint", name, err, want)
			}
		}
	}
}
