package rows

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows/table"
	"github.com/sprint-ml/sprint/stages/rows/text"
)

// Layout says how a file of rows is written, and which of its columns mean what.
type Layout struct {
	// Format is JSONL, CSV or Parquet.
	Format string
	// Columns has the file's names of columns by our names. A column that is not here is
	// known by our name, whose case does not matter.
	Columns map[string]string
	// Categories are those whose labels may also stand in a column of the category's own
	// name, beside <category>_score; case, spaces and dashes do not matter.
	Categories []string
	// Labels says how a column label is written, for those who read it.
	Labels LabelForm
	// Delimiter parts the fields of csv: one character, or tab. Empty and auto find it out.
	Delimiter string
	// Encoding is that of csv and jsonl, as package text has it.
	Encoding string
	// Titled makes a file without a column that is known as title an error, which wraps an
	// UnknownColumns. Without it such rows are of no use, one by one.
	Titled bool
	// Flag is the flag that gives Columns, as in --columns, for what an UnknownColumns
	// advises. Empty is the option files.columns of a plan.
	Flag string
	// Others asks for the cells of columns that are none of title, url and id, as
	// Row.Others has them; nil does not. JSON lines have no such columns.
	Others *Others
	// Live says that rows are still being written: none waits for more than its line, so
	// that encoding and delimiter are UTF-8 and a comma unless the layout says otherwise.
	Live bool
}

// Others are the columns of a file that a reader passes on. Names are theirs in the file's
// order, known once the header was read.
type Others struct{ Names []string }

func (l Layout) encoding() string {
	if l.Live {
		return cmp.Or(l.Encoding, text.UTF8)
	}
	return l.Encoding
}

// Dialect is how a csv file of the layout is written.
func (l Layout) Dialect() table.Dialect {
	d := table.Dialect{Numbered: l.numbered()}
	switch l.Delimiter {
	case "", text.Auto:
		if l.Live {
			d.Delimiter = ','
		}
	case "tab":
		d.Delimiter = '\t'
	default:
		d.Delimiter = l.Delimiter[0]
	}
	return d
}

// numbered reports whether columns are named by their numbers, as in a file without header.
func (l Layout) numbered() bool {
	for _, name := range l.Columns {
		if !isNumber(name) {
			return false
		}
	}
	return len(l.Columns) > 0
}

func isNumber(name string) bool {
	n, err := strconv.Atoi(name)
	return err == nil && n > 0 && n < 10_000
}

// CheckDelimiter is the problem of an option at path that is a Layout's delimiter.
func CheckDelimiter(path, delimiter string) []stages.Problem {
	var out stages.Problems
	ok := slices.Contains([]string{"", text.Auto, "tab"}, delimiter) || len(delimiter) == 1 && strings.IndexByte("\"\r\n\x00", delimiter[0]) < 0
	out.If(!ok, path, `write delimiter: ";", or tab, or leave it to auto`, "%q is no delimiter: it is one character", delimiter)
	return out
}

// CheckEncoding is the problem of an option at path that is a Layout's encoding.
func CheckEncoding(path, encoding string) []stages.Problem {
	var out stages.Problems
	if encoding != "" && encoding != text.Auto {
		_, err := text.Find(encoding)
		out.If(err != nil, path, "auto finds out UTF-8, UTF-16 and Windows-1252", "%v", err)
	}
	return out
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
	by, numbers := map[string]string{}, 0
	for _, ours := range slices.Sorted(maps.Keys(columns)) {
		theirs, at := columns[ours], path+"."+ours
		known := slices.Contains(namedColumns, ours) || isLabel(ours) && !strings.HasPrefix(ours, "_")
		out.If(!known, at, "those that can be named are "+strings.Join(namedColumns, ", ")+", and CATEGORY_score and CATEGORY_tag of a category", "no column of rows is called %s", ours)
		out.If(theirs == "", at, "write "+ours+": NAME, as the file has it", "the name of the file's column is empty")
		if other, twice := by[theirs]; twice {
			out.If(theirs != "", at, "name another column, or take one of the two out", "%s is the column %q too", other, theirs)
		}
		if by[theirs] = ours; isNumber(theirs) {
			numbers++
		}
	}
	out.If(numbers > 0 && numbers < len(columns), path, "a file without a header has numbers alone", "some columns are named, and others numbered from 1")
	return out
}
