// Package sanitize makes text harmless that comes from logs, plans, stores and
// models: on a terminal or in a CI log it shows and does not act.
package sanitize

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Writer writes text that comes from logs, plans, stores and models to a
// terminal or a CI log without letting it act there: whatever steers a terminal
// is written out as \uXXXX, which in JSON means the same as the character. With
// GitHub, no line of it is a workflow command either: what would begin one is
// written out as well. Bytes that are no UTF-8 become U+FFFD.
type Writer struct {
	Out    io.Writer
	GitHub bool // before the first write; ForGitHub sets it later

	mu     sync.Mutex
	inLine bool   // something of this line was written that can be seen
	rest   []byte // the begin of a rune or of a command, at the end of a write
	err    error  // of the first write that failed
}

// ForGitHub sets GitHub.
func (p *Writer) ForGitHub() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.GitHub = true
}

func (p *Writer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := b
	if len(p.rest) > 0 {
		all = slices.Concat(p.rest, b)
		p.rest = nil
	}
	text := p.text(nil, all, false)
	if err := p.write(text); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Flush writes what waits for its end in vain. It returns the error of the first
// write that failed since the beginning: who prints line by line asks for it once.
func (p *Writer) Flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rest) > 0 {
		_ = p.write(p.text(nil, p.rest, true)) // kept, and returned below
		p.rest = nil
	}
	return p.err
}

// Failed is the error of the first write that failed, nil if none did.
func (p *Writer) Failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *Writer) write(text []byte) error {
	_, err := p.Out.Write(text)
	if p.err == nil {
		p.err = err
	}
	return err
}

// text appends the harmless form of b to into. Unless b is the end, what may go
// on in the next write is kept in rest.
func (p *Writer) text(into, b []byte, end bool) []byte {
	for i := 0; i < len(b); {
		c := b[i]
		if p.GitHub && (c == ':' && !p.inLine || c == '#') {
			command := []byte("##[")
			if c == ':' {
				command = []byte("::")
			}
			if !end && len(b)-i < len(command) && bytes.HasPrefix(command, b[i:]) {
				p.rest = bytes.Clone(b[i:])
				return into
			}
			if bytes.HasPrefix(b[i:], command) {
				p.inLine = true
				into = fmt.Appendf(into, `\u%04x`, c)
				i++
				continue
			}
		}
		switch {
		case c == '\n':
			p.inLine = false
			into = append(into, c)
			i++
		case c == '\t' || c >= ' ' && c < 0x7f:
			p.inLine = p.inLine || c != '\t' && c != ' '
			into = append(into, c)
			i++
		case c < utf8.RuneSelf:
			p.inLine = true
			into = fmt.Appendf(into, `\u%04x`, c)
			i++
		case !end && !utf8.FullRune(b[i:]):
			p.rest = bytes.Clone(b[i:])
			return into
		default:
			r, n := utf8.DecodeRune(b[i:])
			p.inLine = p.inLine || steers(r) || seen(r)
			if steers(r) {
				into = fmt.Appendf(into, `\u%04x`, r)
			} else {
				into = utf8.AppendRune(into, r)
			}
			i += n
		}
	}
	return into
}

// steers reports whether a rune beyond ASCII acts on a terminal: controls of 8
// bits, line ends of Unicode, and what turns the direction of all that follows.
func steers(r rune) bool {
	return r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// seen reports whether a rune leaves a mark. A runner skips spaces of all scripts, and may
// skip what has no width, before it looks for a command.
func seen(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}

// Painted writes lines of Text with the sequences between that sprint itself colours
// them with. Flush returns the error of a write that failed.
func (p *Writer) Painted(lines string) {
	_ = p.Flush() // kept, and returned by the last one
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.write([]byte(lines))
	p.inLine = false
}

// Text is what Writer would write.
func Text(s string) string { return string((&Writer{}).text(nil, []byte(s), true)) }

// Terminal is the file behind a writer if it is a terminal, else nil.
func Terminal(w io.Writer) *os.File {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}
