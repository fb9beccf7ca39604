package table

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// JSONL reads a file of JSON objects, one a line. Blank lines are no records, and
// values that are objects or lists are left out. A file without any object is an
// error that wraps ErrFormat.
func JSONL(r io.Reader, o Limits, columns *Columns, visit Visit) error {
	rec := NewRecord(columns)
	lines, good := 0, 0
	err := eachLine(r, o, func(line []byte, tooLong bool) error {
		if tooLong {
			lines++
			return visit(nil, ProblemTooLong)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		lines++
		clear(rec.Cells)
		var fields map[string]any
		mended, _ := RepairJSON(line)
		if err := json.Unmarshal(mended, &fields); err != nil || fields == nil {
			return visit(nil, "not a JSON object")
		}
		good++
		for name, v := range fields {
			cell := jsonCell(v)
			if !cell.Present() {
				continue
			}
			at, err := columns.find(name)
			if err != nil {
				return err
			}
			if at.ok && !(at.weak && rec.At(at.place).Present()) {
				rec.Set(at.place, cell)
			}
		}
		// encoding/json replaces invalid UTF-8 without a word; the reader of the record counts.
		if !utf8.Valid(line) {
			if place, ok, err := columns.Place(MendedMark); ok && err == nil {
				rec.Set(place, Null())
			}
		}
		return visit(rec, "")
	})
	if err == nil && lines > 0 && good == 0 {
		return fmt.Errorf("%w: none of %d lines is a JSON object", ErrFormat, lines)
	}
	return err
}

// jsonCell is absent for an object or a list.
func jsonCell(v any) Cell {
	switch v := v.(type) {
	case string:
		return Text(v)
	case float64:
		return Number(v)
	case bool:
		if v {
			return Number(1)
		}
		return Number(0)
	case nil:
		return Null()
	}
	return Cell{}
}
