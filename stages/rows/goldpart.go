package rows

import (
	"crypto/sha256"
	"encoding/binary"
)

// GoldPart sets a share of a gold set aside, for what must not score the rest:
// marked rows are in the part. Rows of one story stay together, and whether a
// story is in hangs on its rows alone, so a part is the same wherever and in
// whatever order the set is read.
func GoldPart(gold []Row, share float64) []bool {
	titles := make([]string, len(gold))
	for i, r := range gold {
		titles[i] = r.Title
	}
	draws := map[int]uint64{}
	groups := NearDuplicateGroups(titles)
	for i := range gold {
		sum := sha256.Sum256([]byte("gold part " + Identity(gold[i])))
		draw := binary.BigEndian.Uint64(sum[:])
		if old, ok := draws[groups[i]]; !ok || draw < old {
			draws[groups[i]] = draw
		}
	}
	part := make([]bool, len(gold))
	for i := range gold {
		part[i] = float64(draws[groups[i]])/(1<<64) < share
	}
	return part
}
