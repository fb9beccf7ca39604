package dedup

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/sprint-ml/sprint/stages/rows"
)

// RemoveOverlap returns the rows that do not meet those of other, by url, id, title or
// near-duplicate group, and how many do.
func RemoveOverlap(set, other []rows.Row) (rest []rows.Row, met int) {
	near := Groups(rows.Titles(set, other))
	groups, names := map[int]bool{}, map[string]bool{}
	for i, r := range other {
		groups[near[len(set)+i]] = true
		names["url:"+r.URL], names["id:"+r.ID] = r.URL != "", r.ID != ""
	}
	for i, r := range set {
		if groups[near[i]] || names["url:"+r.URL] || names["id:"+r.ID] {
			met++
			continue
		}
		rest = append(rest, r)
	}
	return rest, met
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
