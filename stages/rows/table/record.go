// Package table reads the text formats of tables, csv and JSON lines, record by
// record, and holds the record that every format of rows is read into.
//
// record.go is a record, csv.go and jsonl.go read the formats, lines.go cuts a
// stream into lines of bounded length, json_repair.go mends JSON that sources
// write wrongly. What the columns mean is decided in package rows.
package table

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrFormat says that a file as a whole is not what its format promises.
var ErrFormat = errors.New("bad format")

// ErrTooLarge says that a file is over the cap of Limits.MaxBytes.
var ErrTooLarge = errors.New("file too large")

// Limits bound what is read of a file.
type Limits struct {
	// MaxLine is the most bytes of a line; longer ones are visited as
	// ProblemTooLong.
	MaxLine int
	// MaxBytes is the most bytes of the file.
	MaxBytes int64
}

// ProblemTooLong is the problem of a line over Limits.MaxLine.
const ProblemTooLong = "line too long"

// Visit is called for every record of a file, or for what stands in its place:
// then problem says what is wrong and the record means nothing. The record is reused
// for the next one. An error ends the reading.
type Visit func(record Record, problem string) error

// Cell is one value of a record. The zero value is null.
type Cell struct {
	text     string
	number   float64
	isNumber bool
	set      bool
}

// Text returns a cell that holds a text.
func Text(s string) Cell { return Cell{text: s, set: true} }

// Number returns a cell that holds a number.
func Number(f float64) Cell { return Cell{number: f, isNumber: true, set: true} }

// Set reports whether the cell is not null.
func (c Cell) Set() bool { return c.set }

// String returns the cell as text; a number as it would be written, null as the
// empty text.
func (c Cell) String() string {
	if c.isNumber {
		return strconv.FormatFloat(c.number, 'f', -1, 64)
	}
	return c.text
}

// Float returns the cell as a number; ok is false for null and blank text. Text
// that is no number is an error.
func (c Cell) Float() (f float64, ok bool, err error) {
	if !c.set || !c.isNumber && strings.TrimSpace(c.text) == "" {
		return 0, false, nil
	}
	if c.isNumber {
		return c.number, true, nil
	}
	if f, err = strconv.ParseFloat(strings.TrimSpace(c.text), 64); err != nil {
		return 0, false, fmt.Errorf("%q is no number", c.text)
	}
	return f, true, nil
}

// Record is one row before its columns have a meaning: column name -> value.
type Record map[string]Cell

// MendedMark is the column that a reader sets if it mended the record's text. No
// column of a file can have that name.
const MendedMark = "\x00mended"

// First returns the first non-empty of some columns.
func (r Record) First(names ...string) string {
	for _, n := range names {
		if c, ok := r[n]; ok && c.set {
			if s := c.String(); s != "" {
				return s
			}
		}
	}
	return ""
}
