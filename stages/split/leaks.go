package split

import "github.com/sprint-ml/sprint/stages/rows"

// Sets that rows can meet in: the three sides, gold, and all rows that came in.
const (
	goldSet = 3
	allRows = 4
)

var setNames = [...]string{sideNames[0], sideNames[1], sideNames[2], goldSet: "gold", allRows: "rows"}

// setOf is the set of a row; ok is false if it was left out.
func (p *partition) setOf(i int) (set int, ok bool) {
	switch {
	case i >= len(p.all):
		return goldSet, true
	case p.groupOf[i] < 0:
		return 0, false
	}
	return p.groups[p.groupOf[i]].side, true
}

// meetings holds the first row of each set, counted from 1, that has something
// in common with others.
type meetings map[uint64]*[goldSet + 1]int32

func (m meetings) add(common uint64, set, row int) {
	at := m[common]
	if at == nil {
		at = new([goldSet + 1]int32)
		m[common] = at
	}
	if at[set] == 0 {
		at[set] = int32(row) + 1 //nolint:gosec // rows are fewer
	}
}

// order of the reasons in reports.
var reasons = []string{byURL, byID, byTitle, byNear, byClose}

// leaks looks at the rows as they will be written, whatever groups and draws
// were meant to do. What it finds was kept.
func (p *partition) leaks() []Leak {
	names, near := meetings{}, meetings{}
	for i := range len(p.all) + len(p.gold) {
		set, ok := p.setOf(i)
		if !ok {
			continue
		}
		for _, k := range keysOf(p.row(i)) {
			names.add(k.hash, set, i)
		}
		near.add(uint64(p.duplicates.Groups[i]), set, i) //nolint:gosec // groups count from 0
	}
	var found leakTable
	for i := range p.all {
		a, ok := p.setOf(i)
		if !ok {
			continue
		}
		var met [goldSet + 1]bool
		meet := func(at *[goldSet + 1]int32, by string) {
			for b, row := range at {
				if row > 0 && !met[b] && measured(a, b) {
					met[b] = true
					found.add(a, b, by, p.row(i), p.row(int(row)-1))
				}
			}
		}
		for _, k := range keysOf(&p.all[i]) {
			meet(names[k.hash], k.by)
		}
		meet(near[uint64(p.duplicates.Groups[i])], byNear) //nolint:gosec // as above
	}
	for _, pair := range p.duplicates.ClosePairs {
		i, j := int(pair.I), int(pair.J)
		a, kept := p.setOf(i)
		b, also := p.setOf(j)
		switch {
		case !kept || !also:
		case measured(a, b):
			found.add(a, b, byClose, p.row(i), p.row(j))
		case measured(b, a):
			found.add(b, a, byClose, p.row(j), p.row(i))
		}
	}
	return found.list()
}

// measured says whether rows of set a that meet set b make a figure flatter: the
// side is measured on, or the gold set is.
func measured(a, b int) bool { return a != b && (b == goldSet || a > b && a != goldSet) }

// leakTable holds leaks by the two sets and the reason.
type leakTable [len(setNames)][len(setNames)]map[string]*Leak

// at is the leak of rows of set a that meet set b.
func (t *leakTable) at(a, b int, by string) *Leak {
	if t[a][b] == nil {
		t[a][b] = map[string]*Leak{}
	}
	if t[a][b][by] == nil {
		t[a][b][by] = &Leak{Between: [2]string{setNames[a], setNames[b]}, By: by, Dropped: a == allRows}
	}
	return t[a][b][by]
}

func (t *leakTable) add(a, b int, by string, one, other *rows.Row) {
	l := t.at(a, b, by)
	if l.Rows++; len(l.Examples) < maxExamples {
		l.Examples = append(l.Examples, example(one, other))
	}
}

func (t *leakTable) list() []Leak {
	var out []Leak
	for _, of := range t {
		for _, met := range of {
			for _, by := range reasons {
				if l := met[by]; l != nil {
					out = append(out, *l)
				}
			}
		}
	}
	return out
}
