package rows

import (
	"context"
	"io"
	"os"

	"github.com/sprint-ml/sprint/stages"
)

// OpenGold reads the gold set that a stage's options name; categories are as for
// ReadGold. A set that cannot be read is a Failure of CodeStage.
func OpenGold(ctx context.Context, files stages.Files, path string, categories []string) (*Gold, error) {
	r, err := files.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	return readGoldFile(r, path, categories, stages.CodeStage)
}

// OpenPlannedGold reads a local gold set where a plan is checked, before any stage
// runs. A set that is missing or cannot be read is a Failure of CodePlan.
func OpenPlannedGold(path string, categories []string) (*Gold, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "a gold set is a csv, jsonl or parquet file", "cannot read the gold set: %w", err)
	}
	return readGoldFile(r, path, categories, stages.CodePlan)
}

// readGoldFile reads and closes r.
func readGoldFile(r io.ReadCloser, path string, categories []string, unreadable stages.Code) (*Gold, error) {
	defer r.Close()
	format, _ := FormatOf(path)
	g, err := ReadGold(r, format, categories)
	if err != nil {
		return nil, stages.Fail(unreadable, "a gold set has url or id, title, and per category a 0/1 column and a column <category>_tag", "gold set %s: %w", path, err)
	}
	return g, nil
}
