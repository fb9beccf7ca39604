package unigram

import (
	"cmp"
	"errors"
	"slices"
)

// doubleArray holds byte strings and finds all that a text begins with, in one step and mostly one
// cache line a byte (Aoe 1989). Unit 0 is the root.
type doubleArray struct{ units []unit }

// unit is a node: its child by byte b is base+b, if that has it as its parent.
type unit struct {
	base, parent int32
	id           int32 // of the string that ends here, -1 if none does
}

// find gives the id of a string, -1 if it is not there.
func (d *doubleArray) find(s []byte) int32 {
	at := int32(0)
	for _, c := range s {
		next := d.units[at].base + int32(c)
		if int(next) >= len(d.units) || d.units[next].parent != at {
			return -1
		}
		at = next
	}
	return d.units[at].id
}

// errPacking is of vocabularies that no one trained.
var errPacking = errors.New("tokenizer.json: model.vocab: its pieces branch as those of no language do")

// builder places nodes.
type builder struct {
	units []unit
	keys  []string
	ids   []int32
	// after leads from a unit to the next one that is free, in few steps: a taken one says where
	// to look, a free one names itself.
	after []int32
	first int // where nodes of several children begin to look
}

// taken and open mark units without a parent.
const (
	open  = -1
	taken = -2 // the root
)

// newDoubleArray makes one of keys, of which the later of two equal ones wins; empty keys are
// left out.
func newDoubleArray(keys []string) (*doubleArray, error) {
	order := make([]int32, len(keys))
	total := 0
	for i, k := range keys {
		order[i] = int32(i) //nolint:gosec // vocabularies are capped
		total += len(k)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(keys[a], keys[b]), cmp.Compare(b, a)) })
	b := &builder{keys: make([]string, 0, len(keys)), ids: make([]int32, 0, len(keys))}
	for _, i := range order {
		if k := keys[i]; k != "" && (len(b.keys) == 0 || b.keys[len(b.keys)-1] != k) {
			b.keys, b.ids = append(b.keys, k), append(b.ids, i)
		}
	}
	b.grow(1 << 9)
	b.take(0, taken)
	most := 1<<16 + 8*total
	if err := b.place(0, 0, len(b.keys), 0, most); err != nil {
		return nil, err
	}
	return &doubleArray{units: slices.Clip(b.units)}, nil
}

func (b *builder) grow(size int) {
	for len(b.units) < size {
		b.after = append(b.after, int32(len(b.units))) //nolint:gosec // below most
		b.units = append(b.units, unit{parent: open, id: -1})
	}
}

func (b *builder) take(at int, parent int32) {
	b.units[at].parent = parent
	b.after[at] = int32(at + 1) //nolint:gosec // below most
}

// free is the first free unit from at on.
func (b *builder) free(at int) int {
	end := at
	for {
		b.grow(end + 1)
		if int(b.after[end]) == end {
			break
		}
		end = int(b.after[end])
	}
	for at != end {
		at, b.after[at] = int(b.after[at]), int32(end) //nolint:gosec // below most
	}
	return end
}

// place puts the children of a node, the keys from to to at depth, into the array. Keys are at
// most maxPiece bytes long, and so is the recursion deep.
func (b *builder) place(at int32, from, to, depth, most int) error {
	if from < to && len(b.keys[from]) == depth {
		b.units[at].id = b.ids[from]
		from++
	}
	if from == to {
		return nil
	}
	var children []byte
	for i := from; i < to; i++ {
		if c := b.keys[i][depth]; len(children) == 0 || children[len(children)-1] != c {
			children = append(children, c)
		}
	}
	base := b.fit(children)
	if base+256 > most {
		return errPacking
	}
	b.units[at].base = int32(base) //nolint:gosec // below most
	for _, c := range children {
		b.take(base+int(c), at)
	}
	for i := from; i < to; {
		c, n := b.keys[i][depth], i
		for n < to && b.keys[n][depth] == c {
			n++
		}
		if err := b.place(int32(base+int(c)), i, n, depth+1, most); err != nil { //nolint:gosec // below most
			return err
		}
		i = n
	}
	return nil
}

// tries is how many free units are tried before those left behind are given up: the search then
// begins further on.
const tries = 64

// fit finds a base at which all children have a free unit.
func (b *builder) fit(children []byte) int {
	low := int(children[0])
	if len(children) == 1 {
		return b.free(max(low, 1)) - low
	}
	at := b.free(max(b.first, low, 1))
	for failed := 0; ; failed++ {
		base := at - low
		b.grow(base + 256)
		if !slices.ContainsFunc(children, func(c byte) bool { return b.units[base+int(c)].parent != open }) {
			return base
		}
		if failed == tries {
			b.first = at
		}
		at = b.free(at + 1)
	}
}
