package redact

import (
	"bytes"
	"math/bits"
	"slices"
)

// minHeld is the length of a beginning that keeps a line back when it ends with it:
// shorter ones end any line.
const minHeld = 4

// maxBreaks is the longest run of line ends that a form may have in it. A text between
// them would be kept back without limit.
const maxBreaks = 4

// scan goes through one stream. Places are counted in bytes from its beginning.
type scan struct {
	find *automaton
	// The stream is read twice at once: as it stands, and with its escapes decoded.
	// Either may tear a value apart which the other shows: "%" before "ab12".
	plain, decoded view
	escape         []byte // bytes that may be one, the last read
	char           [4]byte
	kept           []byte // what is not passed on yet
	begin          int    // where that begins
	read           int    // the end of what is read
	hidden         []span // in kept, in order, apart from each other
	line           int    // the end of the last line that may be passed on
}

// span is a part of the stream that is hidden.
type span struct {
	from, to int
	masked   bool // its mask was passed on
}

func newScan(a *automaton) *scan {
	size := 1 << bits.Len(uint(a.most))
	s := &scan{find: a}
	s.plain.from, s.decoded.from = make([]int, size), make([]int, size)
	return s
}

// reset makes it ready for another stream.
func (s *scan) reset() {
	for _, v := range []*view{&s.plain, &s.decoded} {
		v.at, v.n, v.breaks = 0, 0, 0
	}
	s.escape, s.kept, s.hidden = s.escape[:0], s.kept[:0], s.hidden[:0]
	s.begin, s.read, s.line = 0, 0, 0
}

// view is one reading of the stream.
type view struct {
	at     int32 // node of the longest beginning that what was read ends with
	n      int   // bytes of the view so far
	from   []int // where the last bytes of the view stand in the stream, a ring
	breaks int   // line ends at its end
}

// next reads one more byte of the view, which stands at the part from, to.
func (s *scan) next(v *view, char byte, from, to int) {
	if char == '\n' || char == '\r' {
		if v.breaks++; v.breaks > maxBreaks {
			v.at = 0
		}
		return
	}
	v.breaks = 0
	v.from[v.n&(len(v.from)-1)] = from
	v.n++
	if v.at = s.find.next(v.at, char); v.at != 0 {
		if found := int(s.find.nodes[v.at].found); found > 0 {
			s.hide(v.begin(found), to)
		}
	}
}

// begin is where the last bytes of the view begin in the stream.
func (v *view) begin(length int) int { return v.from[(v.n-length)&(len(v.from)-1)] }

func (s *scan) depth(v *view) int { return int(s.find.nodes[v.at].depth) }

// feed reads on.
func (s *scan) feed(text []byte) {
	s.kept = append(s.kept, text...)
	for i := 0; i < len(text); i++ {
		char := text[i]
		if s.find.idle[char] && s.plain.at == 0 && s.decoded.at == 0 && len(s.escape) == 0 {
			s.read++
			continue
		}
		s.next(&s.plain, char, s.read, s.read+1)
		s.read++
		s.unescape(char)
		if char == '\n' && s.depth(&s.plain) < minHeld && s.depth(&s.decoded) < minHeld {
			s.line = s.read
		}
	}
}

// unescape reads one more byte for the view in which escapes are decoded.
func (s *scan) unescape(char byte) {
	if len(s.escape) == 0 && !begins(char) {
		s.next(&s.decoded, char, s.read-1, s.read)
		return
	}
	s.escape = append(s.escape, char)
	s.drain(false)
}

// drain decodes what was kept of an escape as far as that is possible. At the end of
// the stream nothing goes on.
func (s *scan) drain(end bool) {
	for len(s.escape) > 0 {
		from := s.read - len(s.escape)
		chars, length, more := s.escape[:1], 1, false
		if begins(s.escape[0]) {
			var decoded []byte
			var n int
			if decoded, n, more = decode(s.escape, s.char[:0]); n > 0 {
				chars, length = decoded, n
			}
		}
		if more && !end {
			return
		}
		for _, c := range chars {
			s.next(&s.decoded, c, from, from+length)
		}
		s.escape = append(s.escape[:0], s.escape[length:]...)
	}
}

// hide marks a part of the stream.
func (s *scan) hide(from, to int) {
	from = max(from, s.begin) // what was passed on is gone
	added := span{from: from, to: to}
	i := len(s.hidden)
	for i > 0 && s.hidden[i-1].from > to {
		i--
	}
	last := i
	for i > 0 && s.hidden[i-1].to >= from {
		i--
		added = span{min(added.from, s.hidden[i].from), max(added.to, s.hidden[i].to), added.masked || s.hidden[i].masked}
	}
	s.hidden = slices.Replace(s.hidden, i, last, added)
}

// ready returns what can be passed on: no value may have begun in it that is not
// hidden.
func (s *scan) ready() []byte {
	upTo := s.read - len(s.escape)
	for _, v := range []*view{&s.plain, &s.decoded} {
		if depth := s.depth(v); depth > 0 {
			upTo = min(upTo, v.begin(depth))
		}
	}
	return s.pass(max(upTo, s.line))
}

// end returns the rest, at the end of the stream.
func (s *scan) end() []byte {
	s.drain(true)
	return s.pass(s.read)
}

// pass returns the stream up to a place, with masks.
func (s *scan) pass(upTo int) []byte {
	if upTo <= s.begin {
		return nil
	}
	out := make([]byte, 0, upTo-s.begin)
	at := s.begin
	text := func(to int) []byte {
		part := s.kept[at-s.begin : to-s.begin]
		at = to
		return part
	}
	for len(s.hidden) > 0 && s.hidden[0].from < upTo {
		h := &s.hidden[0]
		out = append(out, text(max(h.from, at))...)
		// Line breaks stay: what follows is kept by lines.
		for part := range bytes.Lines(text(min(h.to, upTo))) {
			if len(bytes.TrimRight(part, "\r\n")) > 0 && !h.masked {
				out = append(out, mask...)
				h.masked = true
			}
			if bytes.HasSuffix(part, []byte("\n")) {
				out = append(out, '\n')
				h.masked = false
			}
		}
		if h.to > upTo {
			break
		}
		s.hidden = s.hidden[1:]
	}
	out = append(out, text(upTo)...)
	s.kept = append(s.kept[:0], s.kept[upTo-s.begin:]...)
	s.begin = upTo
	return out
}
