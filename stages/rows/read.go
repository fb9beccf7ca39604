package rows

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows/parquet"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// The formats of files of rows.
const (
	JSONL   = "jsonl"
	CSV     = "csv"
	Parquet = "parquet"
)

// What reading a file may end with.
var (
	// ErrFormat says that a file as a whole is not what its format promises.
	ErrFormat = table.ErrFormat
	// ErrTooLarge says that a file is over the cap of Options.MaxBytes.
	ErrTooLarge = table.ErrTooLarge
)

// Options of reading. The zero value has no categories and the usual caps.
type Options struct {
	// Categories are the columns to read labels from. Nil takes every column
	// that ends in _score.
	Categories []string
	// MaxLine caps a line of jsonl or csv; 1 MiB if zero. Longer lines are
	// skipped and counted.
	MaxLine int
	// MaxBytes caps a file; 4 GiB if zero.
	MaxBytes int64
	// KeepBad yields a row with Problem set in the place of each skipped one.
	KeepBad bool

	discover bool // records differ in their columns (jsonl)
}

func (o *Options) filled() Options {
	var f Options
	if o != nil {
		f = *o
	}
	if f.MaxLine <= 0 {
		f.MaxLine = 1 << 20
	}
	if f.MaxBytes <= 0 {
		f.MaxBytes = 4 << 30
	}
	return f
}

// FormatOf tells the format from a file's name; ok is false if it does not say.
func FormatOf(name string) (format string, ok bool) {
	if i := strings.IndexByte(name, '?'); i >= 0 && strings.Contains(name, "://") {
		name = name[:i]
	}
	switch strings.ToLower(path.Ext(strings.ReplaceAll(name, `\`, "/"))) {
	case ".jsonl", ".ndjson", ".json":
		return JSONL, true
	case ".csv":
		return CSV, true
	case ".parquet":
		return Parquet, true
	}
	return "", false
}

// CheckFormat is the problem of an option at path whose file's name does not tell
// the format. An empty name is none.
func CheckFormat(path, name string) []stages.Problem {
	if _, ok := FormatOf(name); ok || name == "" {
		return nil
	}
	return []stages.Problem{{Path: path, Message: name + ": the extension does not tell the format", Hint: "use a .csv, .jsonl or .parquet file"}}
}

// Read reads a whole file of rows. Titles are normalised and the raw ones kept.
// Rows of no use are left out and counted; a file that is not of its format is
// an error that wraps ErrFormat.
func Read(r io.Reader, format string, o *Options) (*Table, error) {
	t := &Table{}
	cats, stats, err := scan(r, format, o.filled(), func(row Row) error {
		t.Rows = append(t.Rows, row)
		return nil
	})
	t.Categories, t.Stats = cats, stats
	if err != nil {
		return nil, err
	}
	// A category met late has no label in the rows before it.
	for i := range t.Rows {
		if l := t.Rows[i].Labels; l != nil {
			for len(l) < len(cats) {
				l = append(l, Label{Abstain: true})
			}
			t.Rows[i].Labels = l
		}
	}
	return t, nil
}

// scan calls visit for every row of a file in order, holding one row of jsonl
// or csv at a time; parquet is read as a whole. An error of visit ends it.
func scan(r io.Reader, format string, o Options, visit func(Row) error) ([]string, Stats, error) {
	o.discover = format == JSONL
	b := newBuilder(o)
	emit := func(row Row) error {
		if row.Problem != "" && !o.KeepBad {
			return nil
		}
		return visit(row)
	}
	err := each(r, format, o, b.declareColumns, func(rec table.Record, problem string) error {
		b.stats.Read++
		switch problem {
		case "":
			return emit(b.row(rec))
		case table.ProblemTooLong:
			b.stats.TooLong++
		default:
			b.stats.Malformed++
		}
		return emit(Row{Problem: problem})
	})
	return b.cats, b.stats, err
}

// each calls visit for every record of a file, or for what stands in its place
// with a problem. header is told the columns, where the format knows them.
func each(r io.Reader, format string, o Options, header func([]string), visit table.Visit) error {
	limits := table.Limits{MaxLine: o.MaxLine, MaxBytes: o.MaxBytes}
	switch format {
	case JSONL:
		return table.JSONL(r, limits, visit)
	case CSV:
		return table.CSV(r, limits, header, visit)
	case Parquet:
		return parquet.Decode(r, o.MaxBytes, header, visit)
	}
	return fmt.Errorf("%w: %q is none of jsonl, csv, parquet", ErrFormat, format)
}
