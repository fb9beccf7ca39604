// Package redact keeps secrets out of what is logged, stored and shown.
//
// A Redactor knows values. It hides them as they are, in upper and lower case and
// quoted for a shell, and in the encodings in which programs and services repeat
// what they were given: base64 at each of its three alignments, in both alphabets,
// with padding or without, so Basic authentication too; percent-encoding and JSON
// escapes, whichever characters were escaped; escapes of HTML; hexadecimal digits of
// either case. Of a value with several lines every line is hidden alone as well, and a
// line break within a value or its encoding does not show it. It works on streams: where
// a text is cut into writes makes no difference.
//
// What is not found: a value that is compressed, encrypted, encoded twice, or spelt
// with something between its characters; a piece of one; one under minValue bytes.
//
// redact.go and url.go are what others call, forms.go is what is looked for, automaton.go
// how; scan.go goes through a stream, escapes.go reads its escapes.
package redact

import (
	"fmt"
	"io"
	"slices"
	"sync"
)

// mask takes the place of a secret. It is JSON's, HTML's and a shell's plain text.
const mask = "***"

const (
	// minValue is the least length of a value that is hidden: a shorter one is in
	// any text, and each gap would tell it.
	minValue = 4
	// maxValue is the greatest. No program takes one as long in its environment.
	maxValue = 64 << 10
)

// TooShort reports whether a value is so short that it cannot be hidden.
func TooShort(value string) bool { return len(value) < minValue }

// Redactor hides values. It is safe for concurrent use; nil hides nothing.
type Redactor struct {
	find *automaton
	free sync.Pool // of *scan: texts are many and short
}

// New makes a Redactor of values. Those that are TooShort stay visible; one that is
// too long is an error.
func New(values ...string) (*Redactor, error) {
	var patterns []string
	for _, v := range values {
		if len(v) > maxValue {
			return nil, fmt.Errorf("it has %d bytes, a secret at most %d", len(v), maxValue)
		}
		patterns = append(patterns, forms(v)...)
	}
	if len(patterns) == 0 {
		return nil, nil
	}
	slices.Sort(patterns)
	r := &Redactor{find: newAutomaton(slices.Compact(patterns))}
	r.free.New = func() any { return newScan(r.find) }
	return r, nil
}

// String returns a text without the values.
func (r *Redactor) String(text string) string { return string(r.Bytes([]byte(text))) }

// Bytes returns a text without the values. What it is given is not changed, and
// returned if none is in it.
func (r *Redactor) Bytes(text []byte) []byte {
	if r == nil {
		return text
	}
	s := r.free.Get().(*scan)
	s.feed(text)
	if s.finish(); len(s.hidden) > 0 {
		text = s.pass(s.read)
	}
	s.reset()
	r.free.Put(s)
	return text
}

// Reader returns a stream without the values. A line is passed on when it has
// ended, unless a value may have begun in it.
func (r *Redactor) Reader(in io.Reader) io.Reader {
	if r == nil {
		return in
	}
	return &reader{in: in, scan: newScan(r.find), buf: make([]byte, 32<<10)}
}

type reader struct {
	in   io.Reader
	scan *scan
	buf  []byte
	out  []byte // ready to be read
	err  error  // of in
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		n, err := r.in.Read(r.buf)
		r.scan.feed(r.buf[:n])
		if r.err = err; err != nil {
			r.out = r.scan.end()
		} else {
			r.out = r.scan.ready()
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}
