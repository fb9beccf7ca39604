package rows_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
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

// TestGoldOfOneLabel: where rows have one category, a row of the gold set with two is a
// mistake, in each form of labels.
func TestGoldOfOneLabel(t *testing.T) {
	alone := []rows.Category{{Name: "fire", Alone: true}, {Name: "money", Alone: true}}
	for _, in := range []string{"title,fire,money\na,1,0\nb,1,1\n", "title,label\na,fire\nb,fire;money\n"} {
		_, err := rows.ReadGold(strings.NewReader(in), rows.Layout{Format: rows.CSV}, alone)
		if err == nil || !strings.Contains(err.Error(), "row 2: it is of fire and money, and rows have one category or none") {
			t.Errorf("%q: %v", in, err)
		}
		several := []rows.Category{{Name: "fire"}, {Name: "money"}}
		if _, err := rows.ReadGold(strings.NewReader(in), rows.Layout{Format: rows.CSV}, several); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}
