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
func JSONL(r io.Reader, o Limits, visit Visit) error {
	rec := Record{}
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
		clear(rec)
		var fields map[string]any
		mended, _ := RepairJSON(line)
		if err := json.Unmarshal(mended, &fields); err != nil || fields == nil {
			return visit(nil, "not a JSON object")
		}
		good++
		for name, v := range fields {
			switch v := v.(type) {
			case string:
				rec[name] = Text(v)
			case float64:
				rec[name] = Number(v)
			case bool:
				if v {
					rec[name] = Number(1)
				} else {
					rec[name] = Number(0)
				}
			case nil:
				rec[name] = Cell{}
			}
		}
		// encoding/json replaces invalid UTF-8 without a word; the reader of the record counts.
		if !utf8.Valid(line) {
			rec[MendedMark] = Cell{set: true}
		}
		return visit(rec, "")
	})
	if err == nil && lines > 0 && good == 0 {
		return fmt.Errorf("%w: none of %d lines is a JSON object", ErrFormat, lines)
	}
	return err
}
