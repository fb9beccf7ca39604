package split

// Sets that rows can meet in: the three sides, then gold.
const (
	goldSet = 3
	sets    = 4
)

func setName(s int) string {
	if s == goldSet {
		return "gold"
	}
	return sideNames[s]
}

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
type meetings map[uint64]*[sets]int32

func (m meetings) add(common uint64, set, row int) {
	at := m[common]
	if at == nil {
		at = new([sets]int32)
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
		var met [sets]bool
		meet := func(at *[sets]int32, by string) {
			for b, row := range at {
				if row > 0 && !met[b] && measured(a, b) {
					met[b] = true
					found.add(p, a, b, by, i, int(row)-1)
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
			found.add(p, a, b, byClose, i, j)
		case measured(b, a):
			found.add(p, b, a, byClose, j, i)
		}
	}
	return found.list()
}

// measured says whether rows of set a that meet set b make a figure flatter: the
// side is measured on, or the gold set is.
func measured(a, b int) bool { return a != b && (b == goldSet || a > b && a != goldSet) }

// leakTable holds leaks by the two sets and the reason.
type leakTable [sets][sets]map[string]*Leak

func (t *leakTable) add(p *partition, a, b int, by string, i, j int) {
	if t[a][b] == nil {
		t[a][b] = map[string]*Leak{}
	}
	l := t[a][b][by]
	if l == nil {
		l = &Leak{Between: [2]string{setName(a), setName(b)}, By: by}
		t[a][b][by] = l
	}
	if l.Rows++; len(l.Examples) < maxExamples {
		l.Examples = append(l.Examples, example(p.row(i), p.row(j)))
	}
}

func (t *leakTable) list() []Leak {
	var out []Leak
	for a := range sets {
		for b := range sets {
			for _, by := range reasons {
				if l := t[a][b][by]; l != nil {
					out = append(out, *l)
				}
			}
		}
	}
	return out
}
