package bpe

// word is the symbols of a word while they are joined.
type word struct {
	ids     []int32
	pending int32 // an unknown symbol that the next one may become part of
	ranks   []uint32
	// Of long words: neighbours of each symbol by place, and the pairs that may be joined.
	next, prev []int32
	queue      queue
}

// shortWord is the most symbols of a word whose pairs are looked through for the next one to be
// joined; those of longer words stand in a heap.
const shortWord = 48

// keptBytes is the most that a scratch buffer keeps of a long text.
const keptBytes = 1 << 20

func (w *word) reset() { w.ids, w.pending = w.ids[:0], none }

func (w *word) add(id int32) { w.ids = append(w.ids, id) }

// known adds a symbol.
func (w *word) known(id int32) {
	w.flush()
	w.add(id)
}

// unknown adds that of a character without one, id, if there is one.
func (w *word) unknown(id int32, fuse bool) {
	if !fuse {
		w.flush()
	}
	w.pending = id
}

// flush ends a run of unknown characters.
func (w *word) flush() {
	if w.pending != none {
		w.add(w.pending)
	}
	w.pending = none
}

// merge joins pairs of symbols, each time the one that ranks first in the table, the first in the
// word if there are several, until no pair is in the table.
func (w *word) merge(m *merges) {
	if len(w.ids) < 2 {
		return
	}
	if len(w.ids) <= shortWord {
		w.mergeShort(m)
	} else {
		w.mergeLong(m)
	}
}

// mergeShort takes time that grows with the square of the number of symbols, but little of it.
func (w *word) mergeShort(m *merges) {
	ids := w.ids
	ranks := w.ranks[:0]
	for i := range ids[1:] {
		ranks = append(ranks, m.rank(ids[i], ids[i+1]))
	}
	w.ranks = ranks
	for len(ranks) > 0 {
		at, best := 0, ranks[0]
		for i, r := range ranks {
			if r < best {
				at, best = i, r
			}
		}
		if best == noRank {
			break
		}
		ids[at] = m.results[best]
		copy(ids[at+1:], ids[at+2:])
		ids = ids[:len(ids)-1]
		copy(ranks[at:], ranks[at+1:])
		ranks = ranks[:len(ranks)-1]
		if at > 0 {
			ranks[at-1] = m.rank(ids[at-1], ids[at])
		}
		if at < len(ranks) {
			ranks[at] = m.rank(ids[at], ids[at+1])
		}
	}
	w.ids = ids
}

// mergeLong takes time n·log n of n symbols.
func (w *word) mergeLong(m *merges) {
	n := len(w.ids)
	w.next, w.prev, w.queue = w.next[:0], w.prev[:0], w.queue[:0]
	for i := range n {
		w.next, w.prev = append(w.next, int32(i+1)), append(w.prev, int32(i-1)) //nolint:gosec // texts are far smaller
	}
	push := func(at int32) {
		if r := m.rank(w.ids[at], w.ids[w.next[at]]); r != noRank {
			w.queue.push(uint64(r)<<32 | uint64(at)) //nolint:gosec // places are not negative
		}
	}
	for i := range n - 1 {
		push(int32(i)) //nolint:gosec // texts are far smaller
	}
	for len(w.queue) > 0 {
		top := w.queue.pop()
		rank, at := uint32(top>>32), int32(top&(1<<32-1))
		// A symbol that was joined to the one before it is none any more; a pair of which one was
		// joined to another symbol has another rank.
		if w.ids[at] == none || int(w.next[at]) >= n || m.rank(w.ids[at], w.ids[w.next[at]]) != rank {
			continue
		}
		right := w.next[at]
		w.ids[at], w.ids[right] = m.results[rank], none
		w.next[at] = w.next[right]
		if int(w.next[at]) < n {
			w.prev[w.next[at]] = at
			push(at)
		}
		if before := w.prev[at]; before >= 0 {
			push(before)
		}
	}
}

// appendIDs appends what is left of the symbols.
func (w *word) appendIDs(dst []int32) []int32 {
	for _, id := range w.ids {
		if id != none {
			dst = append(dst, id)
		}
	}
	return dst
}

// shrink drops what a long word left: it must not be kept for ever.
func (w *word) shrink() {
	if 4*cap(w.ids) > keptBytes {
		*w = word{}
	}
}

// queue is a binary heap of pairs, the least of which is on top: rank, then place.
type queue []uint64

func (q *queue) push(x uint64) {
	*q = append(*q, x)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up] <= h[i] {
			break
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
}

func (q *queue) pop() uint64 {
	h := *q
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < last && h[down] < h[least] {
				least = down
			}
		}
		if least == i {
			break
		}
		h[least], h[i] = h[i], h[least]
		i = least
	}
	*q = h
	return top
}
