package dedup

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/sprint-ml/sprint/stages/rows"
)

// RemoveOverlap returns the rows that do not meet those of other, by url, id, title or
// near-duplicate group, and how many do.
func RemoveOverlap(set, other []rows.Row) (rest []rows.Row, met int) {
	for i, over := range Overlap(len(set), func(i int) *rows.Row { return &set[i] }, other) {
		if over {
			met++
		} else {
			rest = append(rest, set[i])
		}
	}
	return rest, met
}

// Overlap marks those of n rows that RemoveOverlap would drop.
func Overlap(n int, row func(i int) *rows.Row, other []rows.Row) []bool {
	titles := make([]string, 0, n+len(other))
	for i := range n {
		titles = append(titles, row(i).Title)
	}
	near := Groups(append(titles, rows.Titles(other)...))
	groups, names := map[int]bool{}, map[string]bool{}
	for i, r := range other {
		groups[near[n+i]] = true
		names["url:"+r.URL], names["id:"+r.ID] = r.URL != "", r.ID != ""
	}
	over := make([]bool, n)
	for i := range n {
		r := row(i)
		over[i] = groups[near[i]] || names["url:"+r.URL] || names["id:"+r.ID]
	}
	return over
}

// GoldPart sets a share of a gold set aside, for what must not score the rest:
// marked rows are in the part. Rows of one story stay together, and whether a
// story is in hangs on its rows alone, so a part is the same wherever and in
// whatever order the set is read. A story is as likely to be in as another,
// however many rows it has.
func GoldPart(gold []rows.Row, share float64) []bool {
	draws := map[int]uint64{}
	groups := Groups(rows.Titles(gold))
	for i := range gold {
		sum := sha256.Sum256([]byte("gold part " + rows.Identity(gold[i])))
		draw := binary.BigEndian.Uint64(sum[:])
		if old, ok := draws[groups[i]]; !ok || draw < old {
			draws[groups[i]] = draw
		}
	}
	for g, least := range draws {
		// The least of many is small: drawn anew from it, no story is favoured.
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("gold story "), least))
		draws[g] = binary.BigEndian.Uint64(sum[:])
	}
	part := make([]bool, len(gold))
	for i := range gold {
		part[i] = float64(draws[groups[i]])/(1<<64) < share
	}
	return part
}
