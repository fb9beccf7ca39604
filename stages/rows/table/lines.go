package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lines cuts a stream into lines. It never holds much more than the longest line of the
// limits.
type lines struct {
	in     io.Reader
	limits Limits
	buf    []byte
	// buf[start:end] is read and not given out; before scanned is no line end.
	start, scanned, end int
	total               int64
	number              int // of the last line given, from 1
	tooLong             bool
	err                 error // of in
}

// fill is how much is asked for at a time.
const fill = 256 << 10

func newLines(in io.Reader, limits Limits) *lines {
	return &lines{in: in, limits: limits, buf: make([]byte, min(fill, limits.MaxLine+fill/4))}
}

// next returns the next line without its end, which is valid until the call after it.
// One over the limit comes empty and tooLong. At the end of the stream the error is
// io.EOF.
func (l *lines) next() (line []byte, tooLong bool, err error) {
	for {
		if i := bytes.IndexByte(l.buf[l.scanned:l.end], '\n'); i >= 0 {
			line = l.buf[l.start : l.scanned+i+1]
			l.start = l.scanned + i + 1
			l.scanned = l.start
			line, tooLong = l.give(line)
			return line, tooLong, nil
		}
		l.scanned = l.end
		if l.end-l.start > l.limits.MaxLine+2 {
			l.tooLong = true
			l.start = l.end
		}
		if l.err != nil {
			return l.rest()
		}
		if err := l.more(); err != nil {
			return nil, false, err
		}
	}
}

// rest returns what stands after the last line end.
func (l *lines) rest() (line []byte, tooLong bool, err error) {
	if !errors.Is(l.err, io.EOF) {
		return nil, false, l.err
	}
	line = l.buf[l.start:l.end]
	l.start = l.end
	if line, tooLong = l.give(line); len(line) == 0 && !tooLong {
		return nil, false, io.EOF
	}
	return line, tooLong, nil
}

func (l *lines) give(line []byte) ([]byte, bool) {
	l.number++
	if l.tooLong || len(line) > l.limits.MaxLine+2 {
		l.tooLong = false
		return nil, true
	}
	n := len(line)
	for n > 0 && (line[n-1] == '\n' || line[n-1] == '\r') {
		n--
	}
	return line[:n], false
}

// more reads more of the stream behind what is there.
func (l *lines) more() error {
	switch {
	case l.start > 0 && (l.start == l.end || len(l.buf)-l.end < fill/4):
		l.end = copy(l.buf, l.buf[l.start:l.end])
		l.scanned -= l.start
		l.start = 0
	case l.end == len(l.buf):
		grown := make([]byte, min(2*len(l.buf), l.limits.MaxLine+2*fill))
		l.end = copy(grown, l.buf[:l.end])
		l.buf = grown
	}
	n, err := l.in.Read(l.buf[l.end:])
	l.end += n
	l.err = err
	if l.total += int64(n); l.total > l.limits.MaxBytes {
		return fmt.Errorf("%w: over %d bytes", ErrTooLarge, l.limits.MaxBytes)
	}
	return nil
}

// peek returns what stands next, up to n bytes, of which none is given out.
func (l *lines) peek(n int) ([]byte, error) {
	for l.end-l.start < n && l.err == nil && l.end-l.start < len(l.buf) {
		if err := l.more(); err != nil {
			return nil, err
		}
	}
	if l.err != nil && !errors.Is(l.err, io.EOF) {
		return nil, l.err
	}
	return l.buf[l.start:min(l.end, l.start+n)], nil
}
