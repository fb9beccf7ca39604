package rows

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows/parquet"
	"github.com/sprint-ml/sprint/stages/rows/table"
	"github.com/sprint-ml/sprint/stages/rows/text"
)

// The formats of files of rows.
const (
	JSONL   = "jsonl"
	CSV     = "csv"
	Parquet = "parquet"
)

// Errors of files of rows.
var (
	// ErrFormat says that a file as a whole is not what its format promises.
	ErrFormat = table.ErrFormat
	// ErrBudget says that a file decodes to far more than its size shows.
	ErrBudget = table.ErrBudget
)

// Unreadable is the failure of a file of rows that cannot be read. Its code and hint are
// those given where the file's bytes are at fault, unless the error calls for others.
func Unreadable(code stages.Code, hint, name string, err error) error {
	columns, unknown := errors.AsType[*UnknownColumns](err)
	switch {
	case unknown:
		return stages.Fail(code, "", "%s %w", name, columns)
	case errors.Is(err, table.ErrMemory):
		return stages.Fail(stages.CodeMemory, "split the file, or give the process more memory", "%s: %w", name, err)
	case errors.Is(err, table.ErrBudget), errors.Is(err, table.ErrTooLarge):
		return stages.Fail(code, "write it as csv or jsonl, or in several files", "%s: %w", name, err)
	case errors.Is(err, table.ErrFormat):
		return stages.Fail(code, hint, "%s: %w", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// usual are the limits of a file of rows.
func usual(budget *table.Budget) table.Limits { return table.Usual(budget) }

// FormatOf tells the format from a file's name; ok is false if it does not say.
func FormatOf(name string) (format string, ok bool) {
	if i := strings.IndexByte(name, '?'); i >= 0 && strings.Contains(name, "://") {
		name = name[:i]
	}
	name = strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/")))
	switch path.Ext(strings.TrimSuffix(name, ".gz")) {
	case ".jsonl", ".ndjson", ".json":
		return JSONL, true
	case ".csv", ".tsv", ".tab":
		return CSV, true
	case ".parquet":
		return Parquet, !strings.HasSuffix(name, ".gz")
	}
	return "", false
}

// NoFormat says what to do with a file whose name does not tell that it holds rows.
func NoFormat(name string) string {
	if what, ok := text.Export(strings.ToLower(path.Ext(name))); ok {
		return fmt.Sprintf("%s is %s", name, what)
	}
	return name + ": the extension does not tell the format"
}

// Foreign reports whether a name is that of a workbook, a document or an archive, for
// which NoFormat says what to export.
func Foreign(name string) bool {
	_, ok := text.Export(strings.ToLower(path.Ext(name)))
	return ok
}

// CheckFormat is the problem of an option at path whose file's name does not tell
// the format. An empty name is none.
func CheckFormat(path, name string) []stages.Problem {
	if _, ok := FormatOf(name); ok || name == "" {
		return nil
	}
	return []stages.Problem{{Path: path, Message: NoFormat(name), Hint: "use a .csv, .jsonl or .parquet file"}}
}

// Budget bounds what files may cost together. The zero value is ready.
type Budget = table.Budget

// Visit is called for each row of a file, with Problem set in the place of one of no use.
// Row and labels are reused for the next one. categories are those of the labels, as far
// as the file was read.
type Visit func(row *Row, categories []string) error

// Each visits the rows of a file in order and holds none of them. Titles are normalised
// and the raw ones kept. A file that is not of its format is an error that wraps
// ErrFormat, one that decodes to more than the budget ErrBudget.
func Each(r io.Reader, layout Layout, budget *Budget, visit Visit) (categories []string, stats Stats, err error) {
	return eachRow(r, layout, usual(budget), visit)
}

func eachRow(r io.Reader, layout Layout, limits table.Limits, visit Visit) ([]string, Stats, error) {
	named := newCategoryColumns(layout)
	want := named.want
	if layout.Others != nil {
		want = nil // all columns
	}
	b := newBuilder(want, limits.Budget)
	b.categories = named
	b.discover = layout.Format == JSONL
	if err := layout.rename(b.columns); err != nil {
		return nil, Stats{}, err
	}
	kept := &beginning{r: r}
	if layout.Titled && layout.Format != Parquet {
		r = kept
	}
	header := func(names []string) error {
		if layout.Titled {
			if err := layout.checkHeader(names, b.columns, kept.head); err != nil {
				return err
			}
		}
		b.header(names)
		if layout.Others != nil {
			layout.Others.Names, b.others = b.otherColumns(names)
		}
		return nil
	}
	var err error
	b.stats.Encoding, err = eachRecord(r, layout, limits, b.columns, header, func(rec *table.Record, problem string) (err error) {
		row := &Row{Problem: problem}
		b.stats.Read++
		switch problem {
		case "":
			row, err = b.build(rec)
		case table.ProblemTooLong:
			b.stats.TooLong++
		default:
			b.stats.Malformed++
		}
		if err == nil {
			row.Line = rec.Line
			err = visit(row, b.cats)
		}
		return err
	})
	if s := b.stats; err == nil && layout.Titled && layout.Format == JSONL && s.NoTitle > 0 && s.NoTitle == s.Read-s.Malformed-s.TooLong {
		err = layout.noTitle(layout.survey(kept.head))
	}
	return b.cats, b.stats, err
}

// Read reads a whole file of rows, like Each. Rows of no use are left out and counted.
func Read(r io.Reader, layout Layout) (*Table, error) { return read(r, layout, usual(&Budget{})) }

func read(r io.Reader, layout Layout, limits table.Limits) (*Table, error) {
	t := &Table{}
	var err error
	t.Categories, t.Stats, err = eachRow(r, layout, limits, func(row *Row, _ []string) error {
		if row.Problem != "" {
			return nil
		}
		kept := *row
		kept.Labels = slices.Clone(row.Labels)
		t.Rows = append(t.Rows, kept)
		return limits.Budget.Keep(kept.size())
	})
	if err != nil {
		return nil, err
	}
	t.abstain()
	return t, nil
}

// DecodeParquet reads a file that WriteParquet wrote, or any parquet file with a
// title column; columns it does not know are ignored.
func DecodeParquet(r io.Reader) (rows []Row, categories []string, err error) {
	t, err := Read(r, Layout{Format: Parquet})
	if err != nil {
		return nil, nil, err
	}
	return t.Rows, t.Categories, nil
}

// each calls visit for every record of a file, or for what stands in its place
// with a problem. header is told the columns, where the format knows them.
func each(r io.Reader, format string, limits table.Limits, columns *table.Columns, header func(names []string), visit table.Visit) error {
	_, err := eachRecord(r, Layout{Format: format}, limits, columns, func(names []string) error { header(names); return nil }, visit)
	return err
}

// eachRecord is each of any layout. It returns the encoding of a text; parquet has none.
func eachRecord(r io.Reader, layout Layout, limits table.Limits, columns *table.Columns, header table.Header, visit table.Visit) (encoding string, err error) {
	switch layout.Format {
	case Parquet:
		return "", parquet.Read(r, limits, columns, header, visit)
	case JSONL, CSV:
		in, err := text.Open(r, layout.encoding(), limits.Budget)
		if err != nil {
			return "", err
		}
		if layout.Format == JSONL {
			err = table.JSONL(in, limits, columns, visit)
		} else {
			err = table.CSV(in, limits, layout.Dialect(), columns, header, visit)
		}
		return in.Encoding(), err
	}
	return "", fmt.Errorf("%w: %q is none of jsonl, csv, parquet", ErrFormat, layout.Format)
}
