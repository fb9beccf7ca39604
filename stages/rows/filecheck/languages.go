package filecheck

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Languages counts the rows of a sample of a file that are in a language of which a later
// stage can make nothing.
func Languages(f io.ReaderAt, size int64, path string, layout rows.Layout, of stages.LanguageOf) []stages.FileProblem {
	counts := map[string]int{}
	sample, err := takeSample(f, size, layout, func(row *rows.Row, _ []string, _ func() int) {
		if name, lost := of(row.Language, row.Title, row.Description); lost && row.Problem == "" {
			counts[cmp.Or(name, "no language that is known")]++
		}
	})
	if err != nil {
		return nil // it is told as the file's
	}
	looked := "looked at"
	if sample.Whole {
		looked = "in the file"
	}
	var out []stages.FileProblem
	for i, name := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) }) {
		if i == shownCells {
			out = append(out, stages.FileProblem{File: path, Warning: true, Message: fmt.Sprintf("rows of %d more languages get no label from rules", len(counts)-i)})
			break
		}
		out = append(out, stages.FileProblem{File: path, Warning: true,
			Message: fmt.Sprintf("%d of the %d rows %s are in %s, of which there are no rules: rules give them no label", counts[name], sample.Stats.Read, looked, name),
			Hint:    "write rules of that language in the taxonomy, `rules: {sv: [...]}`, or name the column that says the rows' language, files: {columns: {language: NAME}}"})
	}
	return out
}
