package bpe

import "math/bits"

// merges is the table of pairs of symbols that are joined, by rank.
type merges struct {
	results []int32 // what the pair of a rank becomes
	slots   []slot  // a power of two of them, at most two thirds taken
	shift   int
}

type slot struct {
	pair uint64
	rank uint32 // noRank of a free slot
}

// noRank is that of a pair that is not in the table.
const noRank = 1<<32 - 1

func newMerges(n int) merges {
	size := bits.Len(uint(max(n+n/2, 1))) //nolint:gosec // not negative
	m := merges{slots: make([]slot, 1<<size), shift: 64 - size, results: make([]int32, 0, n)}
	for i := range m.slots {
		m.slots[i].rank = noRank
	}
	return m
}

func pairOf(left, right int32) uint64 {
	return uint64(uint32(left))<<32 | uint64(uint32(right)) //nolint:gosec // ids are not negative
}

// find is the slot of a pair, or the free one that it would take.
func (m *merges) find(pair uint64) *slot {
	mask := len(m.slots) - 1
	// Fibonacci hashing (Knuth, TAOCP 6.4).
	for i := int(pair * 0x9e3779b97f4a7c15 >> m.shift); ; i = (i + 1) & mask {
		if s := &m.slots[i]; s.pair == pair || s.rank == noRank {
			return s
		}
	}
}

// add gives a pair the next rank; a pair that is there already gets a new one.
func (m *merges) add(left, right, result int32) {
	pair := pairOf(left, right)
	*m.find(pair) = slot{pair, uint32(len(m.results))} //nolint:gosec // capped
	m.results = append(m.results, result)
}

// rank is that of a pair, noRank if it is not in the table.
func (m *merges) rank(left, right int32) uint32 {
	s := m.find(pairOf(left, right))
	if s.pair != pairOf(left, right) {
		return noRank
	}
	return s.rank
}
