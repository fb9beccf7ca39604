package tokenize

// trie holds byte strings and finds the longest one that a text begins with, in
// one step per byte. Its edges lie in one open-addressing table: compact, quick
// to build, and without a pointer for the collector to follow.
type trie struct {
	edges []uint64 // parent<<8|byte in the high half, child in the low; 0 is free
	mask  uint32
	ids   []int32 // of the string that ends in a node, -1 if none does
}

// newTrie makes a trie whose nodes 0 to roots-1 are separate roots.
func newTrie(roots, bytes int) *trie {
	size := 1 << 10
	for size < 2*bytes {
		size *= 2
	}
	t := &trie{edges: make([]uint64, size), mask: uint32(size - 1)}
	for range roots {
		t.ids = append(t.ids, -1)
	}
	return t
}

func (t *trie) slot(key uint32) uint32 {
	return (key * 0x9E3779B1) >> 7 & t.mask // Fibonacci hashing; the low bits of the product are weak
}

// next follows one byte; 0, which is a root, means that there is no such edge.
func (t *trie) next(node uint32, b byte) uint32 {
	key := node<<8 | uint32(b)
	for i := t.slot(key); ; i = (i + 1) & t.mask {
		e := t.edges[i]
		if e == 0 {
			return 0
		}
		if uint32(e>>32) == key {
			return uint32(e)
		}
	}
}

// add puts s below root. The newTrie size must cover all bytes added.
func (t *trie) add(root uint32, s string, id int32) {
	node := root
	for i := range len(s) {
		child := t.next(node, s[i])
		if child == 0 {
			child = uint32(len(t.ids))
			t.ids = append(t.ids, -1)
			key := node<<8 | uint32(s[i])
			at := t.slot(key)
			for t.edges[at] != 0 {
				at = (at + 1) & t.mask
			}
			t.edges[at] = uint64(key)<<32 | uint64(child)
		}
		node = child
	}
	t.ids[node] = id
}

// longest gives the id and length of the longest string below root that s begins
// with; length 0 is none.
func (t *trie) longest(root uint32, s []byte) (id int32, length int) {
	node := root
	for i, b := range s {
		if node = t.next(node, b); node == 0 {
			break
		}
		if v := t.ids[node]; v >= 0 {
			id, length = v, i+1
		}
	}
	return id, length
}
