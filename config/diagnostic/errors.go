// Package diagnostic holds the mistakes that a person made in a text: each with
// its place, the line that it stands in and what to do about it, all told at
// once; and those made in a call of the program. errors.go has the mistakes and
// how they print, suggest.go finds the word that was meant. It imports nothing of
// this module.
package diagnostic

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Position is a place in a text: line and column count from 1. A value that
// comes from a flag or the environment has its spelling as File and no line.
type Position struct {
	File string
	Line int
	Col  int
}

func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Error is one mistake in a plan, a config or an override.
type Error struct {
	Pos     Position
	Path    string // dotted path of the wrong value, "stages.train.epochs"
	Message string
	Hint    string // what to do about it; may be empty
	Excerpt string // the source line; may be empty
	// Secret, if not nil, is where a secret stands in clear: no mistake of the same list shows
	// that line, or that flag's value.
	Secret *Position
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Pos.File != "" {
		b.WriteString(e.Place().String())
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(Shorten(e.Path, 120))
		b.WriteString(": ")
	}
	b.WriteString(Shorten(e.Message, 400))
	if e.Excerpt != "" && e.Pos.Line > 0 {
		line, caret := window(withoutSecrets(e.Excerpt), e.Pos.Col)
		number := fmt.Sprintf("%6d | ", e.Pos.Line)
		b.WriteString("\n" + number + line)
		if e.Pos.Col > 0 {
			b.WriteString("\n" + strings.Repeat(" ", len(number)-2) + "| " + strings.Repeat(" ", caret) + "^")
		}
	}
	if e.Hint != "" {
		b.WriteString("\n       " + e.Hint)
	}
	return withoutUserInfo(printable(b.String()))
}

// userInfo is that of a URL. A password with a slash in it ends a URL's host for
// everybody else; it follows a colon and is no port.
var userInfo = regexp.MustCompile(`://(?:[^\s/?#"'<>]*@|[^\s/?#"'<>:]*:[0-9]*[^0-9\s/?#"'<>][^\s"'<>]*@)`)

// withoutUserInfo hides what a text that is shown must not repeat, wherever in the line the
// mistake is.
func withoutUserInfo(s string) string { return userInfo.ReplaceAllString(s, "://***@") }

// Place is the position as it is shown: the value of a flag may be an address that lets in
// whoever has it.
func (e *Error) Place() Position {
	p := e.Pos
	p.File = withoutSecrets(p.File)
	return p
}

// query is an address with a query or a fragment.
var query = regexp.MustCompile(`://[^\s?#"'<>]*[?#][^\s"'<>]*`)

// withoutSecrets hides in a text that somebody wrote what in its addresses may be a secret: user
// infos, and the values of queries. Their names stay, which is where mistakes are.
func withoutSecrets(s string) string {
	return query.ReplaceAllStringFunc(withoutUserInfo(s), func(address string) string {
		at := strings.IndexAny(address, "?#") + 1
		parts := strings.Split(address[at:], "&")
		for i, part := range parts {
			if name, _, ok := strings.Cut(part, "="); ok {
				parts[i] = name + "=***"
			} else {
				parts[i] = "***"
			}
		}
		return address[:at] + strings.Join(parts, "&")
	})
}

// printable replaces what a terminal would obey rather than show: flags and
// files may hold anything.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (r < ' ' || r == 0x7f) {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// excerptWidth is how many characters of a source line are shown at most.
const excerptWidth = 120

// window cuts a line to the part around a column, and says how far the caret
// is in. What a terminal would obey rather than show is replaced.
func window(line string, col int) (text string, caret int) {
	first := 0 // characters that are left out on the left
	if col > excerptWidth {
		first = col - 1 - excerptWidth/2
	}
	var b strings.Builder
	if first > 0 {
		b.WriteString("…")
	}
	count := 0
	for _, r := range line {
		count++
		if count <= first {
			continue
		}
		if count > first+excerptWidth {
			b.WriteString("…")
			break
		}
		switch {
		case r == '\t':
			r = ' '
		case unicode.IsControl(r):
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	caret = min(col, count+1) - 1 - first
	if first > 0 {
		caret++ // the mark of what is left out
	}
	return b.String(), max(caret, 0)
}

// maxPrinted caps how many mistakes are printed: a file of the wrong sort has
// one in every line, and the first ones tell.
const maxPrinted = 50

// In is a mistake in a text, with the line that it is about.
func In(text string, pos Position, message, hint string) *Error {
	e := &Error{Pos: pos, Message: message, Hint: hint}
	if lines := strings.Split(text, "\n"); pos.Line > 0 && pos.Line <= len(lines) {
		e.Excerpt = lines[pos.Line-1]
	}
	return e
}

// Errors are all mistakes of one input, in the order of their places.
type Errors []*Error

func (e Errors) Error() string {
	texts := make([]string, 0, min(len(e), maxPrinted+1))
	for i, x := range e {
		if i == maxPrinted {
			texts = append(texts, fmt.Sprintf("and %d more mistakes", len(e)-i))
			break
		}
		texts = append(texts, x.Error())
	}
	return strings.Join(texts, "\n")
}

// Sort orders the errors by file, line and column.
func (e Errors) Sort() {
	slices.SortStableFunc(e, func(a, b *Error) int {
		if c := strings.Compare(a.Pos.File, b.Pos.File); c != 0 {
			return c
		}
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Col - b.Pos.Col
	})
}

// hideSecrets takes out of all mistakes what would repeat a secret.
func (e Errors) hideSecrets() {
	for _, x := range e {
		if x.Secret == nil {
			continue
		}
		flag, _, isFlag := strings.Cut(x.Secret.File, "=")
		for _, y := range e {
			switch {
			case y.Pos.File != x.Secret.File || y.Pos.Line != x.Secret.Line:
			case x.Secret.Line > 0:
				y.Excerpt = ""
			case isFlag:
				y.Pos.File = flag + "=***"
			}
		}
	}
}

// OrNil returns nil for no errors, so that an empty list is not a failure.
func (e Errors) OrNil() error {
	if len(e) == 0 {
		return nil
	}
	e.Sort()
	e.hideSecrets()
	return e
}

// UsageError is a mistake in how the program was called rather than in a text.
type UsageError struct {
	Message string
	Hint    string
}

func (e *UsageError) Error() string {
	text := e.Message
	if e.Hint != "" {
		text += "\n       " + e.Hint
	}
	return withoutUserInfo(text)
}

// Shorten cuts a text to so many characters.
func Shorten(s string, most int) string {
	count := 0
	for i := range s {
		if count == most {
			return s[:i] + "…"
		}
		count++
	}
	return s
}
