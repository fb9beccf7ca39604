package redact

import (
	"slices"
	"strings"
)

// automaton is that of Aho and Corasick: it finds all of many patterns in one pass,
// in time linear in the text whatever stands there.
type automaton struct {
	nodes []node     // the first is the root
	start [256]int32 // the root's children, 0 for none
	most  int        // bytes of the longest pattern
	idle  [256]bool  // bytes that mean nothing where no pattern has begun
	// escapes are the ways to read a text: by each, what begins the escapes that are
	// decoded.
	escapes []string
}

// node is a beginning of patterns.
type node struct {
	child, sibling int32 // 0 for none
	fail           int32 // the longest proper end of it that is a beginning too
	depth          int32 // its length
	found          int32 // length of the longest pattern that ends with it; 0 if none does
	char           byte  // its last
}

func newAutomaton(patterns []string) *automaton {
	a := &automaton{nodes: make([]node, 1)}
	for _, p := range patterns {
		at := int32(0)
		for i := range len(p) {
			next := a.child(at, p[i])
			if next == 0 {
				next = a.add(at, p[i])
			}
			at = next
		}
		a.nodes[at].found = int32(len(p))
		a.most = max(a.most, len(p))
	}
	a.escapes = []string{"", escapeURL + escapeJSON}
	// A pattern that has one kind of escape in it may stand in the other.
	for own, other := range map[string]string{escapeURL: escapeJSON, escapeJSON: escapeURL} {
		if slices.ContainsFunc(patterns, func(p string) bool { return strings.Contains(p, own) }) {
			a.escapes = append(a.escapes, other)
		}
	}
	for c := range a.idle {
		a.idle[c] = a.start[c] == 0 && c != '\n' && !strings.Contains(escapeURL+escapeJSON, string(rune(c)))
	}
	a.link()
	return a
}

func (a *automaton) add(parent int32, char byte) int32 {
	n := node{char: char, depth: a.nodes[parent].depth + 1}
	id := int32(len(a.nodes))
	if parent == 0 {
		a.start[char] = id
	}
	n.sibling = a.nodes[parent].child
	a.nodes[parent].child = id
	a.nodes = append(a.nodes, n)
	return id
}

// child is the node of a beginning with one more byte, 0 if there is none.
func (a *automaton) child(at int32, char byte) int32 {
	if at == 0 {
		return a.start[char]
	}
	for id := a.nodes[at].child; id != 0; id = a.nodes[id].sibling {
		if a.nodes[id].char == char {
			return id
		}
	}
	return 0
}

// link sets the nodes' fail, level by level.
func (a *automaton) link() {
	level := []int32{0}
	for len(level) > 0 {
		var below []int32
		for _, at := range level {
			for id := a.nodes[at].child; id != 0; id = a.nodes[id].sibling {
				n := &a.nodes[id]
				if at != 0 {
					n.fail = a.next(a.nodes[at].fail, n.char)
				}
				n.found = max(n.found, a.nodes[n.fail].found)
				below = append(below, id)
			}
		}
		level = below
	}
}

// next is the longest beginning that a text ends with, which ended with that of the
// node before and goes on with char.
func (a *automaton) next(at int32, char byte) int32 {
	for {
		if id := a.child(at, char); id != 0 || at == 0 {
			return id
		}
		at = a.nodes[at].fail
	}
}
