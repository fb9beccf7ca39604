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

// ErrFormat says that a file as a whole is not what its format promises.
var ErrFormat = table.ErrFormat

// usual are the limits of every file of rows: longer lines of jsonl and csv are
// skipped and counted.
var usual = table.Limits{MaxLine: 1 << 20, MaxBytes: 4 << 30}

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
func Read(r io.Reader, format string) (*Table, error) { return read(r, format, usual, false) }

// ReadKeepingBad is Read with a row that has Problem set in the place of each one of
// no use.
func ReadKeepingBad(r io.Reader, format string) (*Table, error) { return read(r, format, usual, true) }

func read(r io.Reader, format string, limits table.Limits, keepBad bool) (*Table, error) {
	t, b := &Table{}, newBuilder()
	b.discover = format == JSONL
	err := each(r, format, limits, b.declareColumns, func(rec table.Record, problem string) error {
		row := Row{Problem: problem}
		b.stats.Read++
		switch problem {
		case "":
			row = b.row(rec)
		case table.ProblemTooLong:
			b.stats.TooLong++
		default:
			b.stats.Malformed++
		}
		if row.Problem == "" || keepBad {
			t.Rows = append(t.Rows, row)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.Categories, t.Stats = b.cats, b.stats
	t.abstain()
	return t, nil
}

// DecodeParquet reads a file that WriteParquet wrote, or any parquet file with a
// title column; columns it does not know are ignored. It holds the stream in memory:
// what a stage does with its inputs.
func DecodeParquet(r io.Reader) (rows []Row, categories []string, err error) {
	t, err := Read(r, Parquet)
	if err != nil {
		return nil, nil, err
	}
	return t.Rows, t.Categories, nil
}

// each calls visit for every record of a file, or for what stands in its place
// with a problem. header is told the columns, where the format knows them.
func each(r io.Reader, format string, limits table.Limits, header func([]string), visit table.Visit) error {
	switch format {
	case JSONL:
		return table.JSONL(r, limits, visit)
	case CSV:
		return table.CSV(r, limits, header, visit)
	case Parquet:
		return parquet.Read(r, limits.MaxBytes, header, visit)
	}
	return fmt.Errorf("%w: %q is none of jsonl, csv, parquet", ErrFormat, format)
}
