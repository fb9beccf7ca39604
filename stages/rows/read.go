package rows

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"
)

// The formats of files of rows.
const (
	JSONL   = "jsonl"
	CSV     = "csv"
	Parquet = "parquet"
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

// Scan calls visit for every row of a file in order, holding one row of jsonl
// or csv at a time; parquet is read as a whole. An error of visit ends it.
func Scan(r io.Reader, format string, o *Options, visit func(Row) error) (Stats, error) {
	_, stats, err := scan(r, format, o.filled(), visit)
	return stats, err
}

func scan(r io.Reader, format string, o Options, visit func(Row) error) ([]string, Stats, error) {
	o.discover = format == JSONL
	b := newBuilder(o)
	emit := func(row Row) error {
		if row.Problem != "" && !o.KeepBad {
			return nil
		}
		return visit(row)
	}
	err := each(r, format, o, b.declareColumns, func(rec record, problem string) error {
		b.stats.Read++
		switch problem {
		case "":
			return emit(b.row(rec))
		case problemTooLong:
			b.stats.TooLong++
		default:
			b.stats.Malformed++
		}
		return emit(Row{Problem: problem})
	})
	return b.cats, b.stats, err
}

const problemTooLong = "line too long"

// each calls visit for every record of a file, or for what stands in its place
// with a problem. header is told the columns, where the format knows them.
func each(r io.Reader, format string, o Options, header func([]string), visit func(rec record, problem string) error) error {
	switch format {
	case JSONL:
		return eachJSON(r, o, visit)
	case CSV:
		return eachCSV(r, o, header, visit)
	case Parquet:
		return eachParquet(r, o, header, visit)
	}
	return fmt.Errorf("%w: %q is none of jsonl, csv, parquet", ErrFormat, format)
}

// eachLine calls visit with every line of r, without its end; tooLong lines
// come empty. It never holds more than max bytes.
func eachLine(r io.Reader, max int, limit int64, visit func(line []byte, tooLong bool) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	var total int64
	tooLong, first := false, true
	for {
		part, err := in.ReadSlice('\n')
		if total += int64(len(part)); total > limit {
			return fmt.Errorf("%w: over %d bytes", ErrTooLarge, limit)
		}
		if !tooLong {
			line = append(line, part...)
			tooLong = len(line) > max+2
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && err != io.EOF {
			return err
		}
		if tooLong {
			line = line[:0]
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
			first = false
		}
		if err == nil || len(line) > 0 || tooLong {
			if verr := visit(line, tooLong); verr != nil {
				return verr
			}
		}
		if err == io.EOF {
			return nil
		}
		line, tooLong = line[:0], false
	}
}

func eachJSON(r io.Reader, o Options, visit func(record, string) error) error {
	rec := record{}
	lines, good := 0, 0
	err := eachLine(r, o.MaxLine, o.MaxBytes, func(line []byte, tooLong bool) error {
		if tooLong {
			lines++
			return visit(nil, problemTooLong)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		lines++
		clear(rec)
		var fields map[string]any
		mended, _ := MendJSON(line)
		if err := json.Unmarshal(mended, &fields); err != nil || fields == nil {
			return visit(nil, "not a JSON object")
		}
		good++
		for name, v := range fields {
			switch v := v.(type) {
			case string:
				rec[name] = text(v)
			case float64:
				rec[name] = number(v)
			case bool:
				if v {
					rec[name] = number(1)
				} else {
					rec[name] = number(0)
				}
			case nil:
				rec[name] = cell{}
			}
		}
		// encoding/json replaces invalid UTF-8 without a word; the builder counts.
		if !utf8.Valid(line) {
			rec[mendedMark] = cell{set: true}
		}
		return visit(rec, "")
	})
	if err == nil && lines > 0 && good == 0 {
		return fmt.Errorf("%w: none of %d lines is a JSON object", ErrFormat, lines)
	}
	return err
}

func eachCSV(r io.Reader, o Options, header func([]string), visit func(record, string) error) error {
	pr, pw := io.Pipe()
	defer pr.Close()
	long := make(chan int, 1)
	go func() {
		n := 0
		err := eachLine(r, o.MaxLine, o.MaxBytes, func(line []byte, tooLong bool) error {
			if tooLong {
				n++
				return nil
			}
			_, err := pw.Write(append(line, '\n'))
			return err
		})
		long <- n
		pw.CloseWithError(err)
	}()
	in := csv.NewReader(pr)
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	head, err := in.Read()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return csvError(err)
	}
	names := make([]string, len(head))
	for i, n := range head {
		names[i] = strings.ToValidUTF8(strings.TrimSpace(n), "\uFFFD")
	}
	header(names)
	rec := record{}
	for {
		fields, err := in.Read()
		if err == io.EOF {
			break
		}
		var parse *csv.ParseError
		switch {
		case errors.As(err, &parse):
			if err := visit(nil, "not a csv record: "+parse.Err.Error()); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		case len(fields) != len(names):
			if err := visit(nil, fmt.Sprintf("%d fields, the header has %d", len(fields), len(names))); err != nil {
				return err
			}
			continue
		}
		clear(rec)
		for i, v := range fields {
			rec[names[i]] = text(v)
		}
		if err := visit(rec, ""); err != nil {
			return err
		}
	}
	for range <-long {
		if err := visit(nil, problemTooLong); err != nil {
			return err
		}
	}
	return nil
}

func csvError(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("%w: header of the csv file: %w", ErrFormat, parse)
	}
	return err
}
