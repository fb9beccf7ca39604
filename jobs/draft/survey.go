package draft

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/records"
	"github.com/sprint-ml/sprint/storage"
)

// What is read of a table at most: it is enough to choose columns, categories and a gold
// part, and fits into memory.
const (
	maxRows    = 200_000
	maxBytes   = 512 << 20
	maxNames   = 2_000
	maxValues  = 2_000 // different ones of a column that are counted
	fewestRows = 20
)

// surveyed is the beginning of a table, as it stands there.
type surveyed struct {
	path     string
	layout   rows.Layout
	written  records.Written
	names    []string
	rows     [][]string
	bad      int    // records that cannot be read
	problem  string // why the first of them cannot
	cut      bool   // there are more rows than were read
	profiles []profile
}

// profile is what stands in a column.
type profile struct {
	filled, bytes, longest int
	numbers                int            // cells that are numbers
	bits                   int            // cells that are 0 or 1
	dates                  int            // cells that are days or times
	values                 map[string]int // nil: too many different ones
	distinct               int            // at most maxValues+1
}

// date is a day, with or without a time: 2026-03-01T10:00:00Z, 1.3.2026, 1 March 2026,
// Mar 1, 2026 10:00, 10:00.
var date = regexp.MustCompile(`(?i)^(\pL{2,9},? )?(\d{1,4}[-/. ]{1,2}\d{1,2}[-/. ]{1,2}\d{1,4}|\d{1,2}\.? \pL{3,9}\.? \d{2,4}|\pL{3,9}\.? \d{1,2},? \d{4}|\d{8}|\d{1,2}:\d{2})([T ,]{1,2}\d{1,2}[:.]?\d{2}.{0,20})?$`)

// isText reports whether a column's cells may be texts: neither numbers nor dates.
func (p *profile) isText() bool { return p.numbers*2 <= p.filled && p.dates*2 <= p.filled }

// mean is the bytes of a filled cell.
func (p *profile) mean() float64 {
	if p.filled == 0 {
		return 0
	}
	return float64(p.bytes) / float64(p.filled)
}

var errCut = errors.New("enough")

// readTable reads a table through the code that fetch reads it with.
func readTable(o *Options) (*surveyed, error) {
	path := o.From
	if _, _, remote := storage.SplitURL(path); remote {
		return nil, &diagnostic.UsageError{Message: fmt.Sprintf("--from %s: a draft is made of a file on this machine", path), Hint: "copy the file, or its first rows, here"}
	}
	format, ok := rows.FormatOf(path)
	if !ok {
		return nil, stages.Fail(stages.CodePlan, "name a csv, tsv, jsonl or parquet file", "%s", rows.NoFormat(path))
	}
	f, err := plainfile.Open(path)
	if err != nil {
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = fmt.Errorf("cannot read %s: %w", path, pe.Err)
		}
		return nil, stages.Fail(stages.CodePlan, "check the path", "%w", err)
	}
	defer f.Close()
	t := &surveyed{path: path, layout: rows.Layout{Format: format, Delimiter: o.Delimiter, Encoding: o.Encoding}}
	err = t.read(f)
	if errors.Is(err, records.ErrNoHeader) {
		t.layout.Columns = map[string]string{"title": "1"} // columns are numbers
		if _, err = f.Seek(0, io.SeekStart); err == nil {
			err = t.read(f)
		}
	}
	if err != nil {
		return nil, rows.Unreadable(stages.CodePlan, "check that the file is whole", path, err)
	}
	if err := t.doubt(); err != nil {
		return nil, err
	}
	if len(t.rows) < fewestRows {
		return nil, stages.Fail(stages.CodePlan, "a first model wants some hundred texts", "%s has %d rows", path, len(t.rows))
	}
	t.profile()
	return t, nil
}

func (t *surveyed) read(r io.Reader) error {
	var budget rows.Budget
	size := 0
	var err error
	t.written, err = records.Each(r, t.layout, &budget, func(names, cells []string, problem string) error {
		switch {
		case problem != "":
			if t.bad++; t.problem == "" {
				t.problem = problem
			}
			if len(t.names) == 0 {
				t.names = slices.Clone(names[:min(len(names), maxNames)])
			}
			return nil
		case len(t.rows) == maxRows || size > maxBytes:
			t.cut = true
			return errCut
		}
		if len(names) > len(t.names) { // records of JSON differ
			t.names = slices.Clone(names[:min(len(names), maxNames)])
		}
		kept := make([]string, min(len(cells), maxNames))
		for i := range kept {
			kept[i] = strings.Clone(cells[i])
			size += len(kept[i]) + 16
		}
		t.rows = append(t.rows, kept)
		return nil
	})
	if errors.Is(err, errCut) {
		return nil
	}
	return err
}

func (t *surveyed) profile() {
	t.profiles = make([]profile, len(t.names))
	for i := range t.profiles {
		p := &t.profiles[i]
		p.values = map[string]int{}
		for _, cells := range t.rows {
			v := strings.TrimSpace(cell(cells, i))
			if v == "" {
				continue
			}
			p.filled++
			p.bytes += len(v)
			p.longest = max(p.longest, len(v))
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				p.numbers++
				if f == 0 || f == 1 {
					p.bits++
				}
			}
			if date.MatchString(v) {
				p.dates++
			}
			if p.values != nil {
				p.values[v]++
				if p.distinct = len(p.values); p.distinct > maxValues {
					p.values = nil
				}
			}
		}
	}
}

// column is the place of a column by its name, exactly or but for case; -1 if there is none.
func (t *surveyed) column(name string) int {
	if i := slices.Index(t.names, name); i >= 0 {
		return i
	}
	return slices.IndexFunc(t.names, func(n string) bool { return strings.EqualFold(strings.TrimSpace(n), name) })
}

// named is column of a name that a flag gives.
func (t *surveyed) named(flag, name string) (int, error) {
	if i := t.column(name); i >= 0 {
		return i, nil
	}
	err := &diagnostic.UsageError{Message: fmt.Sprintf("--%s %s: no such column; %s has the columns %s", flag, name, t.path, strings.Join(t.shown(), ", "))}
	if _, near := diagnostic.Nearest(name, t.names); near {
		err.Hint = diagnostic.Suggest(name, t.names)
	}
	return -1, err
}

// shown are the names of the columns for people, as many as are read at a glance.
func (t *surveyed) shown() []string {
	const most = 20
	var out []string
	for i, n := range t.names {
		if i == most {
			return append(out, fmt.Sprintf("and %d more", len(t.names)-most))
		}
		out = append(out, shownWord(n))
	}
	return out
}

// shownWord is a word of the table as text on one line.
func shownWord(word string) string {
	const most = 60
	if len(word) > most {
		word = strings.ToValidUTF8(word[:most], "") + "…"
	}
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !strconv.IsPrint(r) || r == ',' || r == '"' }) {
		return strconv.Quote(word)
	}
	return word
}

// utf8Name is the encoding that needs no word.
const utf8Name = "utf-8"

// numbered reports whether the table has no header: its columns are called 1, 2, and so on.
func (t *surveyed) numbered() bool { return len(t.layout.Columns) > 0 }

// delimiter and encoding are what a plan says of the file; empty where nothing needs to be
// said.
func (t *surveyed) delimiter() string {
	switch t.written.Delimiter {
	case 0, ',':
		return ""
	case '\t':
		return "tab"
	}
	return strconv.Quote(string(t.written.Delimiter))
}

func (t *surveyed) encoding() string {
	if t.written.Encoding == utf8Name && (t.layout.Encoding == "" || t.written.Mended == 0) {
		return ""
	}
	return t.written.Encoding
}
