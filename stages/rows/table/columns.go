package table

import (
	"fmt"
	"strings"
)

// maxColumns caps the columns of a file that are of use to its reader: every record
// holds a cell for each.
const maxColumns = 10_000

// Columns are those of a file that are of use, each with its place in a record. A file's
// name for a column may be another than ours: Rename says which, and case does not matter
// where no column has the very name.
type Columns struct {
	names   []string
	places  map[string]int
	want    func(name string) bool
	renamed map[string]string // ours, by the file's name
	taken   map[string]bool   // ours that Rename gives to another column of the file
	folded  map[string]int    // places of the first names and of renamed ones, in lower case
	slots   map[string]slot   // what was found out about a file's name
}

// slot is where a column of a file belongs.
type slot struct {
	place int
	// weak says that only case tells the names apart: a column of the very name wins.
	weak, ok bool
}

// NewColumns makes the columns of a file: these, in their order, and each one of the
// file that want accepts; nil accepts all.
func NewColumns(want func(name string) bool, names ...string) *Columns {
	c := &Columns{names: names, places: make(map[string]int, len(names)), want: want, folded: map[string]int{}, slots: map[string]slot{}}
	for i, n := range names {
		c.places[n] = i
		c.folded[strings.ToLower(n)] = i
	}
	return c
}

// Rename says what the file calls some columns, by our names for these. A column of the
// file that has one of our names, but not that meaning, is of no use then.
func (c *Columns) Rename(theirs map[string]string) error {
	c.renamed, c.taken = map[string]string{}, map[string]bool{}
	for ours, name := range theirs {
		place, ok, err := c.Place(ours)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("no column is called %s", ours)
		}
		c.renamed[name], c.taken[ours] = ours, true
		delete(c.folded, strings.ToLower(ours))
		defer func() { c.folded[strings.ToLower(name)] = place }()
	}
	return nil
}

// Place returns the place of one of our columns, which is taken up if it is of use; ok is
// false if it is not.
func (c *Columns) Place(name string) (place int, ok bool, err error) {
	if place, ok = c.places[name]; ok || c.want != nil && !c.want(name) {
		return place, ok, nil
	}
	if len(c.names) >= maxColumns {
		return 0, false, fmt.Errorf("%w: more than %d columns", ErrBudget, maxColumns)
	}
	c.places[name] = len(c.names)
	c.names = append(c.names, name)
	return len(c.names) - 1, true, nil
}

// find returns where a column of the file belongs, by its name there.
func (c *Columns) find(name string) (slot, error) {
	if s, known := c.slots[name]; known {
		return s, nil
	}
	s, err := c.look(name)
	if err == nil && len(c.slots) < maxColumns {
		c.slots[name] = s
	}
	return s, err
}

func (c *Columns) look(name string) (slot, error) {
	ours, renamed := c.renamed[name]
	if !renamed {
		ours = name
	}
	if renamed || !c.taken[name] {
		place, exact := c.places[ours]
		if exact {
			return slot{place: place, ok: true}, nil
		}
	}
	if place, ok := c.folded[strings.ToLower(name)]; ok && name != "" {
		return slot{place: place, weak: true, ok: true}, nil
	}
	if c.taken[name] {
		return slot{}, nil
	}
	place, ok, err := c.Place(name)
	return slot{place: place, ok: ok}, err
}

// knows reports whether a name of a file is that of a column which every file may have.
func (c *Columns) knows(name string) bool {
	if _, ok := c.renamed[name]; ok {
		return true
	}
	_, ok := c.folded[strings.ToLower(name)]
	return ok && name != ""
}

// Reads reports whether the reader of a file asks for a column of the file by this name, and
// does not only take what is there.
func (c *Columns) Reads(name string) bool {
	return c.knows(name) || c.want != nil && !c.taken[name] && c.want(name)
}

// Places returns the places of a file's columns, in their order there; -1 for one of no
// use. Of two columns whose names only case tells apart, the first counts.
func (c *Columns) Places(names []string) ([]int, error) {
	slots := make([]slot, len(names))
	strong, met := map[int]bool{}, map[int]bool{}
	for i, n := range names {
		s, err := c.find(n)
		if err != nil {
			return nil, err
		}
		if slots[i] = s; s.ok && !s.weak {
			strong[s.place] = true
		}
	}
	places := make([]int, len(names))
	for i, s := range slots {
		places[i] = -1
		if s.ok && (!s.weak || !strong[s.place] && !met[s.place]) {
			places[i] = s.place
			met[s.place] = true
		}
	}
	return places, nil
}

// Ours returns our names of a file's columns, in their order there, without those of no use.
func (c *Columns) Ours(names []string) ([]string, error) {
	places, err := c.Places(names)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, at := range places {
		if at >= 0 {
			out = append(out, c.names[at])
		}
	}
	return out, nil
}

// Names are the columns by place. The caller does not change them.
func (c *Columns) Names() []string { return c.names }
