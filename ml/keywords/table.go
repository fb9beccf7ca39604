package keywords

// table finds patterns by the hash of their first word. Most lookups miss, so
// a bit set of the hashes comes first.
type table struct {
	bits     []uint64
	mask     uint64
	buckets  []int32 // first pattern of a bucket, -1 if none
	next     []int32 // next pattern of the same bucket
	hashes   []uint64
	patterns []pattern
}

func newTable(patterns []pattern) table {
	size := 256
	for size < 16*len(patterns) {
		size *= 2
	}
	t := table{bits: make([]uint64, size/64), mask: uint64(size - 1), buckets: make([]int32, size), patterns: patterns}
	for i := range t.buckets {
		t.buckets[i] = -1
	}
	for i, p := range patterns {
		h := uint64(offset64)
		for _, b := range p.first {
			h = (h ^ uint64(b)) * prime64
		}
		at := slot(h) & t.mask
		t.bits[at/64] |= 1 << (at % 64)
		t.hashes = append(t.hashes, h)
		t.next = append(t.next, t.buckets[at])
		t.buckets[at] = int32(i) //nolint:gosec // files are capped far below
	}
	return t
}

// slot mixes the high bits in: FNV's low bits alone repeat for short words.
func slot(h uint64) uint64 { return h ^ h>>29 }

// find returns the first pattern of the hash's bucket, -1 if there is none.
func (t *table) find(h uint64) int32 {
	at := slot(h) & t.mask
	if t.bits[at/64]&(1<<(at%64)) == 0 {
		return -1
	}
	return t.buckets[at]
}
