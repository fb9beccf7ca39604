package unigram

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// unknownPenalty is what an unknown rune costs below the least likely piece.
const unknownPenalty = 10

// maxPiece is the longest piece of a vocabulary, in bytes; SentencePiece makes none of more than
// 16 runes. It bounds what one position of a text costs.
const maxPiece = 1 << 10

// node is the best way to cut what lies before a position.
type node struct {
	score float64
	from  int32 // where its last piece begins; -1 is none yet
	id    int32
}

// appendPieces appends the ids of the most likely pieces of a text (Kudo, arXiv 1804.10959). It
// adds scores in the order in which the original does, so that equal sums stay equal.
func (m *Model) appendPieces(dst []int32, text []byte, sc *scratch) []int32 {
	nodes := sc.nodes[:0]
	for range len(text) + 1 {
		nodes = append(nodes, node{from: -1})
	}
	if sc.nodes = nodes; cap(nodes) > 1<<16 {
		sc.nodes = nil // one endless word must not be kept for ever
	}
	units := m.pieces.units
	for i := 0; i < len(text); {
		_, width := utf8.DecodeRune(text[i:])
		base, single := nodes[i].score, false
		at := int32(0)
		for k := i; k < len(text); k++ {
			next := units[at].base + int32(text[k])
			if int(next) >= len(units) || units[next].parent != at {
				break
			}
			at = next
			id := units[at].id
			if id < 0 {
				continue
			}
			if k+1-i == width {
				single = true
			}
			if s, n := base+m.scores[id], &nodes[k+1]; n.from < 0 || s > n.score {
				*n = node{s, int32(i), id} //nolint:gosec // texts are far shorter
			}
		}
		if !single {
			if s, n := base+m.unkScore, &nodes[i+width]; n.from < 0 || s > n.score {
				*n = node{s, int32(i), m.unknown} //nolint:gosec // texts are far shorter
			}
		}
		i += width
	}
	return m.appendPath(dst, text, nodes)
}

// appendPath appends the ids of the best path, from the end, and turns them round. Unknown pieces
// side by side are one.
func (m *Model) appendPath(dst []int32, text []byte, nodes []node) []int32 {
	begin := len(dst)
	for end := len(text); end > 0; {
		from := int(nodes[end].from)
		if nodes[end].id != m.unknown {
			dst = append(dst, nodes[end].id)
			end = from
			continue
		}
		for from > 0 && nodes[from].id == m.unknown {
			from = int(nodes[from].from)
		}
		dst = m.appendUnknown(dst, text[from:end])
		end = from
	}
	for i, j := begin, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

// appendUnknown appends the ids of a text that no piece makes up, last first.
func (m *Model) appendUnknown(dst []int32, text []byte) []int32 {
	if id := m.pieces.find(text); id >= 0 {
		return append(dst, id) // of a vocabulary that rather has two unknown runes than this piece
	}
	if m.bytes == nil {
		return append(dst, m.unknown)
	}
	begin := len(dst)
	for i := len(text) - 1; i >= 0; i-- {
		id := m.bytes[text[i]]
		if id < 0 {
			return append(dst[:begin], m.unknown)
		}
		dst = append(dst, id)
	}
	return dst
}

// byteIDs finds the pieces that stand for single bytes, -1 where there is none.
func byteIDs(pieces *doubleArray) *[256]int32 {
	var ids [256]int32
	for b := range ids {
		ids[b] = pieces.find(fmt.Appendf(nil, "<0x%02X>", b))
	}
	return &ids
}

// IsByte says whether a piece stands for a single byte, in models with byte_fallback.
func IsByte(piece string) bool {
	return len(piece) == len("<0x00>") && strings.HasPrefix(piece, "<0x") && strings.HasSuffix(piece, ">")
}
