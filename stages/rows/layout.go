package rows

import (
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// Layout says how a file of rows is written, and which of its columns mean what.
type Layout struct {
	// Format is JSONL, CSV or Parquet.
	Format string
	// Columns has the file's names of columns by our names. A column that is not here is
	// known by our name, whose case does not matter.
	Columns map[string]string
	// Labels says how a column label is written, for those who read it.
	Labels LabelForm
}

// published is the name of the column seen_at in options.
const published = "published"

// namedColumns are the columns that a Layout can name, beside the scores and tags of
// categories.
var namedColumns = []string{"title", "description", "url", "id", "source", "language", published, "label"}

// rename tells columns what the file calls them.
func (l Layout) rename(columns *table.Columns) error {
	theirs := maps.Clone(l.Columns)
	if name, ok := theirs[published]; ok {
		delete(theirs, published)
		theirs["seen_at"] = name
	}
	return columns.Rename(theirs)
}

// CheckColumns is the problems of an option at path that names columns as Layout does.
func CheckColumns(path string, columns map[string]string) []stages.Problem {
	var out stages.Problems
	by := map[string]string{}
	for _, ours := range slices.Sorted(maps.Keys(columns)) {
		theirs, at := columns[ours], path+"."+ours
		known := slices.Contains(namedColumns, ours) || isLabel(ours) && !strings.HasPrefix(ours, "_")
		out.If(!known, at, "those that can be named are "+strings.Join(namedColumns, ", ")+", and CATEGORY_score and CATEGORY_tag of a category", "no column of rows is called %s", ours)
		out.If(theirs == "", at, "write "+ours+": NAME, as the file has it", "the name of the file's column is empty")
		if other, twice := by[theirs]; twice {
			out.If(theirs != "", at, "name another column, or take one of the two out", "%s is the column %q too", other, theirs)
		}
		by[theirs] = ours
	}
	return out
}
