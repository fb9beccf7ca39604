package redact

import (
	"bytes"
	"math/bits"
	"slices"
	"strings"
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
	// The stream is read in several ways at once. Each may tear a value apart which
	// another shows: "%" before "ab12", or a value that has "%41" in it itself.
	views  []view
	kept   []byte // what is not passed on yet
	begin  int    // where that begins
	read   int    // the end of what is read
	hidden []span // in kept, in order, apart from each other
	line   int    // the end of the last line that may be passed on
}

// span is a part of the stream that is hidden.
type span struct {
	from, to int
	masked   bool // its mask was passed on
}

func newScan(a *automaton) *scan {
	s := &scan{find: a, views: make([]view, len(a.escapes))}
	for i, escapes := range a.escapes {
		s.views[i] = view{escapes: escapes, from: make([]int, 1<<bits.Len(uint(a.most)))}
	}
	return s
}

// reset makes it ready for another stream.
func (s *scan) reset() {
	for i := range s.views {
		v := &s.views[i]
		v.at, v.n, v.breaks, v.escape = 0, 0, 0, v.escape[:0]
	}
	s.kept, s.hidden = s.kept[:0], s.hidden[:0]
	s.begin, s.read, s.line = 0, 0, 0
}

// view is one reading of the stream.
type view struct {
	escapes string // what begins those that it decodes
	escape  []byte // bytes that may be one, the last read
	char    [4]byte
	at      int32 // node of the longest beginning that what was read ends with
	n       int   // bytes of the view so far
	from    []int // where the last bytes of the view stand in the stream, a ring
	breaks  int   // line ends at its end
}

// begin is where the last bytes of the view begin in the stream.
func (v *view) begin(length int) int { return v.from[(v.n-length)&(len(v.from)-1)] }

// idle reports whether nothing has begun at the end of the view.
func (v *view) idle() bool { return v.at == 0 && len(v.escape) == 0 }

func (s *scan) depth(v *view) int { return int(s.find.nodes[v.at].depth) }

// feed reads on.
func (s *scan) feed(text []byte) {
	s.kept = append(s.kept, text...)
	for _, char := range text {
		s.read++
		if s.find.idle[char] && s.idle() {
			continue
		}
		ended := char == '\n'
		for i := range s.views {
			v := &s.views[i]
			if len(v.escape) == 0 && strings.IndexByte(v.escapes, char) < 0 {
				s.next(v, char, s.read-1, s.read)
			} else {
				v.escape = append(v.escape, char)
				s.drain(v, false)
			}
			ended = ended && s.depth(v) < minHeld
		}
		if ended {
			s.line = s.read
		}
	}
}

func (s *scan) idle() bool {
	for i := range s.views {
		if !s.views[i].idle() {
			return false
		}
	}
	return true
}

// drain decodes what was kept of an escape as far as that is possible. At the end of
// the stream nothing goes on.
func (s *scan) drain(v *view, end bool) {
	for len(v.escape) > 0 {
		from := s.read - len(v.escape)
		chars, length, more := v.escape[:1], 1, false
		if strings.IndexByte(v.escapes, v.escape[0]) >= 0 {
			var decoded []byte
			var n int
			if decoded, n, more = decode(v.escape, v.char[:0]); n > 0 {
				chars, length = decoded, n
			}
		}
		if more && !end {
			return
		}
		for _, c := range chars {
			s.next(v, c, from, from+length)
		}
		v.escape = append(v.escape[:0], v.escape[length:]...)
	}
}

// next reads one more byte of a view, which stands at the part from, to.
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
	upTo := s.read
	for i := range s.views {
		v := &s.views[i]
		upTo = min(upTo, s.read-len(v.escape))
		if depth := s.depth(v); depth > 0 {
			upTo = min(upTo, v.begin(depth))
		}
	}
	return s.pass(max(upTo, s.line))
}

// finish reads what may be an escape as it stands, at the end of the stream.
func (s *scan) finish() {
	for i := range s.views {
		s.drain(&s.views[i], true)
	}
}

// end returns the rest, at the end of the stream.
func (s *scan) end() []byte {
	s.finish()
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
