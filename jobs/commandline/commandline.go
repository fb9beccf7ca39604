// Package commandline holds command lines of sprint that messages show: they are
// values until they are printed, and quoted once, so that what is shown can be
// pasted into a shell.
package commandline

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is a command line of sprint. The zero Line is the program alone.
type Line struct{ words []string }

// Of is the line of a command with its arguments.
func Of(words ...string) Line { return Line{words} }

// Flag appends --name and its value, two words; an empty value appends nothing.
func (l Line) Flag(name, value string) Line {
	if value == "" {
		return l
	}
	return l.With("--"+name, value)
}

// With appends words.
func (l Line) With(words ...string) Line {
	return Line{append(l.words[:len(l.words):len(l.words)], words...)}
}

// Words are the words after the program's name.
func (l Line) Words() []string { return l.words }

// String is the line for a POSIX shell.
func (l Line) String() string {
	out := "sprint"
	for _, w := range l.words {
		out += " " + Quote(w)
	}
	return out
}

// Quote makes a word safe for a POSIX shell. What a terminal would obey rather than
// show is written as $'...' has it, which bash, ksh and zsh read.
func Quote(word string) string {
	switch {
	case word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@+%") == "":
		return word
	case !utf8.ValidString(word) || strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) }):
		return quoteEscaped(word)
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func quoteEscaped(word string) string {
	var b strings.Builder
	b.WriteString("$'")
	for len(word) > 0 {
		r, n := utf8.DecodeRuneInString(word)
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r) && r != utf8.RuneError:
			b.WriteRune(r)
		default:
			for _, c := range []byte(word[:n]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		word = word[n:]
	}
	return b.String() + "'"
}
