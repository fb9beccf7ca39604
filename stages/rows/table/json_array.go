package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// jsonArray gives out the elements of an array, or of several one after the other, without
// holding more than one.
type jsonArray struct {
	*lines
	inside bool // of an array
	line   int  // line ends that were passed
}

// isArray reports whether a file begins with an array.
func isArray(l *lines) bool {
	for n := 1; n <= 512; n++ { // no more than is there may be asked for: a stream may be slow
		head, err := l.peek(n)
		if err != nil || len(head) < n {
			return false
		}
		if !isSpace(head[n-1]) {
			return head[n-1] == '['
		}
	}
	return false
}

// elementLen is the length of the value that a text begins with, whatever is in its texts;
// it is negative if the value does not end.
func elementLen(b []byte) int {
	var s elementScan
	n, done := s.scan(b)
	if !done {
		return -1
	}
	return n
}

// elementScan finds the end of a value, in pieces.
type elementScan struct {
	depth           int
	text, backslash bool // within a text, after a backslash
}

// scan returns how many bytes of a piece are the value's, and whether it ends there.
func (s *elementScan) scan(b []byte) (n int, done bool) {
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case s.backslash:
			s.backslash = false
		case s.text && c == '\\':
			s.backslash = true
		case s.text && c == '"':
			if s.text = false; s.depth == 0 {
				return i + 1, true
			}
		case s.text:
		case c == '"':
			s.text = true
		case c == '{' || c == '[':
			s.depth++
		case (c == '}' || c == ']') && s.depth > 0:
			if s.depth--; s.depth == 0 {
				return i + 1, true
			}
		case s.depth == 0 && (c == ',' || c == ']' || c == '}' || isSpace(c)):
			return i, true // behind a number or a word
		}
	}
	return len(b), false
}

// next returns the next element, which is valid until the call after it. One over the
// limit comes empty and tooLong. At the end of the last array the error is io.EOF.
func (a *jsonArray) next() (element []byte, tooLong bool, err error) {
	if err := a.begin(); err != nil {
		return nil, false, err
	}
	a.number = a.line + 1
	var s elementScan
	for seen := 0; ; {
		n, done := s.scan(a.buf[a.start+seen : a.end])
		if seen += n; seen > a.limits.MaxLine {
			tooLong = true
			a.skip(seen)
			seen = 0
		}
		if done {
			seen = max(seen, 1) // a bracket that closes nothing
			element = a.buf[a.start : a.start+seen]
			a.skip(seen)
			if tooLong {
				element = nil
			}
			return element, tooLong, nil
		}
		if err := a.refill(); err != nil {
			return nil, false, err
		}
	}
}

// skip passes n bytes and counts the lines in them.
func (a *jsonArray) skip(n int) {
	a.line += bytes.Count(a.buf[a.start:a.start+n], []byte{'\n'})
	a.start += n
}

// refill reads more where an element must go on.
func (a *jsonArray) refill() error {
	switch {
	case errors.Is(a.err, io.EOF):
		return fmt.Errorf("%w: the array ends in the middle: is the file whole?", ErrFormat)
	case a.err != nil:
		return a.err
	}
	return a.more()
}

// begin passes what stands before the next element.
func (a *jsonArray) begin() error {
	for {
		if a.start == a.end {
			if errors.Is(a.err, io.EOF) && !a.inside {
				return io.EOF
			}
			if err := a.refill(); err != nil {
				return err
			}
			continue
		}
		switch c := a.buf[a.start]; {
		case isSpace(c), c == ',' && a.inside:
		case c == '[' && !a.inside:
			a.inside = true
		case c == ']' && a.inside:
			a.inside = false
		case !a.inside:
			return fmt.Errorf("%w: line %d: %q follows the array", ErrFormat, a.line+1, c)
		default:
			return nil
		}
		a.skip(1)
	}
}
