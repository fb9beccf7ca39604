// Package table reads the text formats of tables, csv and JSON lines, record by
// record, and holds the record that every format of rows is read into.
//
// record.go is a record, columns.go says which columns of a file are in it. csv.go and
// jsonl.go read the formats, dialect.go finds out how a csv file is written,
// json_array.go cuts an array into its elements, json_object.go reads one object, and
// json_repair.go mends JSON that sources write wrongly. lines.go cuts a stream into lines
// of bounded length, budget.go bounds what a file may cost. Bytes are text before they
// come here, by package text; what the columns mean is decided in package rows.
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
	// Budget bounds what records may cost; nil bounds nothing.
	Budget *Budget
}

// Usual are the limits of a file of rows, and of the others of its budget: longer lines
// of jsonl and csv are skipped and counted.
func Usual(budget *Budget) Limits {
	return Limits{MaxLine: 1 << 20, MaxBytes: 4 << 30, Budget: budget}
}

// ProblemTooLong is the problem of a line over Limits.MaxLine.
const ProblemTooLong = "line too long"

// Visit is called for every record of a file, or for what stands in its place:
// then problem says what is wrong and the record means nothing but its line. The record is reused
// for the next one. An error ends the reading.
type Visit func(record *Record, problem string) error

// Header is told the names of a file's columns, where the format has them in one
// place, before any record. An error ends the reading.
type Header func(names []string) error

// Cell is one value of a record. The zero value is that of a column that the record
// does not have.
type Cell struct {
	text   string
	number float64
	kind   kind
}

type kind uint8

const (
	absent kind = iota
	null
	text
	number
)

// Null returns a cell that holds nothing.
func Null() Cell { return Cell{kind: null} }

// Text returns a cell that holds a text.
func Text(s string) Cell { return Cell{text: s, kind: text} }

// Number returns a cell that holds a number.
func Number(f float64) Cell { return Cell{number: f, kind: number} }

// Present reports whether the record has the cell's column.
func (c Cell) Present() bool { return c.kind != absent }

// Set reports whether the cell is neither null nor absent.
func (c Cell) Set() bool { return c.kind > null }

// Len is the length of the cell's text.
func (c Cell) Len() int { return len(c.text) }

// String returns the cell as text; a number as it would be written, null as the
// empty text.
func (c Cell) String() string {
	if c.kind == number {
		return strconv.FormatFloat(c.number, 'f', -1, 64)
	}
	return c.text
}

// Float returns the cell as a number; ok is false for null and blank text. Text
// that is no number is an error.
func (c Cell) Float() (f float64, ok bool, err error) {
	switch {
	case c.kind == number:
		return c.number, true, nil
	case c.kind != text || strings.TrimSpace(c.text) == "":
		return 0, false, nil
	}
	if f, err = strconv.ParseFloat(strings.TrimSpace(c.text), 64); err != nil {
		return 0, false, fmt.Errorf("%q is no number", c.text)
	}
	return f, true, nil
}

// Record is one row before its columns have a meaning: a cell for each of Columns.
type Record struct {
	*Columns
	Cells []Cell
	// Line is that of the file in which the record begins, from 1; 0 where the format has
	// no lines.
	Line int
}

// NewRecord makes an empty record.
func NewRecord(c *Columns) *Record { return &Record{Columns: c, Cells: make([]Cell, len(c.names))} }

// Set puts a cell into a place.
func (r *Record) Set(place int, c Cell) {
	for place >= len(r.Cells) {
		r.Cells = append(r.Cells, Cell{})
	}
	r.Cells[place] = c
}

// At returns the cell of a place, which may be none.
func (r *Record) At(place int) Cell {
	if place < 0 || place >= len(r.Cells) {
		return Cell{}
	}
	return r.Cells[place]
}

// Get returns the cell of a column.
func (r *Record) Get(name string) Cell {
	if place, ok := r.places[name]; ok {
		return r.At(place)
	}
	return Cell{}
}

// First returns the first non-empty of some columns.
func (r *Record) First(names ...string) string {
	for _, n := range names {
		if s := r.Get(n).String(); s != "" {
			return s
		}
	}
	return ""
}

// MendedMark is the column that a reader sets if it mended the record's text. No
// column of a file can have that name.
const MendedMark = "\x00mended"
