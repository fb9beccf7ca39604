package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// JSONL reads a file of JSON objects, one a line, or one array of them. Blank lines are no
// records, and values that are objects or lists are left out. A file without any object is
// an error that wraps ErrFormat.
func JSONL(r io.Reader, o Limits, columns *Columns, visit Visit) error {
	in := newLines(r, o)
	next, what := in.nextJSON, "lines"
	if isArray(in) {
		next, what = (&jsonArray{lines: in}).next, "elements of the array"
	}
	p := newJSONReader(columns)
	all, good := 0, 0
	for {
		object, tooLong, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		all++
		p.record.Line = in.number
		problem := ""
		switch {
		case tooLong:
			problem = ProblemTooLong
		default:
			ok, err := p.read(object)
			if err != nil {
				return err
			}
			if ok {
				good++
			} else {
				problem = notObject(object)
			}
		}
		if err := visit(p.record, problem); err != nil {
			return err
		}
	}
	if all > 0 && good == 0 {
		return fmt.Errorf("%w: none of %d %s is a JSON object", ErrFormat, all, what)
	}
	return nil
}

// notObject says why a line is no object that can be read.
func notObject(line []byte) string {
	var raw json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil && strings.Contains(err.Error(), "max depth") {
		return "nested over 10,000 deep"
	}
	return "not a JSON object"
}

// nextJSON returns the next line that is not blank.
func (l *lines) nextJSON() (line []byte, tooLong bool, err error) {
	for {
		line, tooLong, err = l.next()
		if tooLong || err != nil || len(bytes.TrimSpace(line)) > 0 {
			return line, tooLong, err
		}
	}
}
