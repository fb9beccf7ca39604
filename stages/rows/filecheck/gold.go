// Package filecheck looks into the files of people that a plan names, before a run does:
// gold sets and corrections as a whole (gold.go), training rows by a sample (sample.go)
// and the labels in it (labels.go). It imports rows; stages ask it where a plan is checked.
package filecheck

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage"
)

// maxChecked is the most bytes of a file that are read where a plan is checked; a larger
// one is left to the stage.
const maxChecked = 64 << 20

// Gold tells what is wrong with the gold set that an option names, or odd about it,
// as FileChecker does.
func Gold(option, path string, layout rows.Layout, categories []rows.Category) []stages.FileProblem {
	return check(option, path, layout, func(r *os.File, layout rows.Layout) (rows.Mistakes, error) {
		number, of := 0, make([]int, len(categories)) // no row is held: a plan is checked in little memory
		odd, err := rows.EachGold(r, layout, categories, func(row *rows.Row) {
			number++
			for i, l := range row.Labels {
				if l.Score > 0 {
					of[i]++
				}
			}
		})
		if err != nil {
			return nil, err
		}
		return append(odd, few(number, of)...), nil
	})
}

// enough is how many rows of a category the macro-F1 asks for.
const enough = 8

// few tells of a gold set on which no macro-F1 can be had: of so many rows, and so many of
// each category.
func few(number int, of []int) rows.Mistakes {
	most := 0
	for _, n := range of {
		most = max(most, n)
	}
	if most == 0 || most >= enough { // of none at all ReadGold tells
		return nil
	}
	return rows.Mistakes{{Message: fmt.Sprintf("no category has %d of its %d rows, the largest has %d: there is no macro-F1", enough, number, most), Hint: "label more rows by hand, or measure micro_f1"}}
}

// Overlay is Gold for corrections. odd is asked what is odd about each, and the first
// that it tells counts.
func Overlay(option, path string, layout rows.Layout, categories []rows.Category, odd func(*rows.Correction) rows.Mistakes) []stages.FileProblem {
	return check(option, path, layout, func(r *os.File, layout rows.Layout) (found rows.Mistakes, err error) {
		err = rows.EachCorrection(r, layout, categories, func(c *rows.Correction) {
			if found == nil {
				found = odd(c)
			}
		})
		if err != nil {
			return nil, err
		}
		return found, nil
	})
}

func check(option, path string, layout rows.Layout, read func(*os.File, rows.Layout) (odd rows.Mistakes, err error)) []stages.FileProblem {
	if path == "" {
		return nil
	}
	if _, _, remote := storage.SplitURL(path); remote {
		return nil
	}
	path = storage.LocalPath(path)
	r, err := plainfile.Open(path)
	if err != nil {
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
			err = fmt.Errorf("cannot read %s: %w", path, pe.Err)
		}
		return []stages.FileProblem{{Option: option, Message: err.Error(), Hint: "check the path; paths in a plan are relative to the plan, those of --set to the working directory"}}
	}
	defer r.Close()
	if info, err := r.Stat(); err != nil || info.Size() > maxChecked {
		return nil
	}
	layout.Format, _ = rows.FormatOf(path)
	odd, err := read(r, layout)
	at := places{path: path, format: layout.Format}
	var mistakes rows.Mistakes
	if err != nil && !errors.As(err, &mistakes) {
		mistakes = rows.Mistakes{{Message: err.Error()}}
	}
	var out []stages.FileProblem
	for _, m := range mistakes {
		out = append(out, at.problem(option, m))
	}
	for _, m := range odd {
		p := at.problem(option, m)
		p.Warning = true
		out = append(out, p)
	}
	return out
}

// places finds where in a file of text a mistake is.
type places struct {
	path, format string
	lines        []string
	read         bool
}

// problem is a mistake with its line. Where records and lines do not count alike, as with
// line ends inside of quotes, the message names the row.
func (p *places) problem(option string, m rows.Mistake) stages.FileProblem {
	out := stages.FileProblem{Option: option, File: p.path, Message: m.String(), Hint: m.Hint}
	p.load()
	line, col := 0, 0
	switch {
	case p.format == rows.CSV && m.Row == 0 && m.Column != "":
		line, col = p.csv(0, "", m.Column)
	case p.format == rows.CSV && m.Row > 0:
		line, col = p.csv(m.Row, m.Column, m.Cell)
	case p.format == rows.JSONL && m.Row > 0:
		line, col = p.jsonl(m)
	}
	if line > 0 {
		out.Line, out.Col, out.Message, out.Excerpt = line, col, m.Message, strings.TrimRight(p.lines[line-1], "\r")
	}
	return out
}

// load reads the lines of a text, once.
func (p *places) load() {
	if p.read || p.format == rows.Parquet {
		return
	}
	p.read = true
	if data, err := os.ReadFile(p.path); err == nil && utf8.Valid(data) {
		p.lines = strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
	}
}

// cell is the place of a cell of a column in a line, from 1; of 0, the file's.
func (p *places) cell(line int, column, cell string) stages.FileProblem {
	out := stages.FileProblem{File: p.path, Line: line}
	if p.load(); line < 1 || line > len(p.lines) {
		return out
	}
	out.Excerpt = strings.TrimRight(p.lines[line-1], "\r")
	if p.format == rows.CSV {
		_, out.Col = p.csv(line-1, column, cell)
	} else if at := strings.Index(out.Excerpt, `"`+column+`"`); at >= 0 {
		out.Col = utf8.RuneCountInString(out.Excerpt[:at]) + 1
	}
	return out
}

// csv finds the cell of a column in the line of a row; row 0 is the header, whose cell
// is the column's name.
func (p *places) csv(row int, column, cell string) (line, col int) {
	if row >= len(p.lines) || len(p.lines) == 0 {
		return 0, 0
	}
	for _, text := range p.lines[:row+1] {
		if strings.Count(text, `"`)%2 != 0 { // a record of several lines
			return 0, 0
		}
	}
	for _, comma := range []rune{',', ';', '\t', '|'} {
		head := csv.NewReader(strings.NewReader(p.lines[0]))
		head.Comma = comma
		names, err := head.Read()
		if err != nil || len(names) == 1 && comma != '|' {
			continue
		}
		for i := range names {
			names[i] = strings.TrimSpace(names[i])
		}
		in := csv.NewReader(strings.NewReader(p.lines[row]))
		in.Comma, in.FieldsPerRecord = comma, -1
		fields, err := in.Read()
		if err != nil {
			return 0, 0
		}
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, column) })
		switch {
		case row == 0:
			i = slices.Index(names, cell)
		case column == "":
			return row + 1, 0
		}
		if i < 0 || i >= len(fields) || row > 0 && strings.TrimSpace(fields[i]) != strings.TrimSpace(cell) {
			return 0, 0
		}
		_, at := in.FieldPos(i)
		return row + 1, utf8.RuneCountInString(p.lines[row][:at-1]) + 1
	}
	return 0, 0
}

// jsonl finds the line of a row, and in it the name of a column.
func (p *places) jsonl(m rows.Mistake) (line, col int) {
	row := 0
	for i, text := range p.lines {
		if strings.TrimSpace(text) == "" {
			continue
		}
		if row++; row < m.Row {
			continue
		}
		if at := strings.Index(text, `"`+m.Column+`"`); m.Column != "" && at >= 0 {
			col = utf8.RuneCountInString(text[:at]) + 1
		}
		return i + 1, col
	}
	return 0, 0
}
