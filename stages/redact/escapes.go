package redact

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// What an escape begins with.
const (
	escapeURL  = "%"
	escapeJSON = `\`
)

// decode reads the escape that b begins with, and appends what it stands for. more
// says that it may go on after b; length is 0 if it is none.
func decode(b, into []byte) (char []byte, length int, more bool) {
	if b[0] == '%' {
		return hexByte(b, 1, into)
	}
	if len(b) == 1 {
		return nil, 0, true
	}
	const letters, meant = `"'\/nrtbf`, "\"'\\/\n\r\t\b\f"
	switch i := strings.IndexByte(letters, b[1]); {
	case i >= 0:
		return append(into, meant[i]), 2, false
	case b[1] == 'x':
		return hexByte(b, 2, into)
	case b[1] != 'u':
		return nil, 0, false
	}
	r, more := unit(b)
	if more || r < 0 {
		return nil, 0, more
	}
	if length = 6; utf16.IsSurrogate(r) { // half of a character
		if len(b) == length {
			return nil, 0, true
		}
		low, more := unit(b[length:])
		if more {
			return nil, 0, true
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return nil, 0, false
		}
		length = 12
	}
	return utf8.AppendRune(into, r), length, false
}

// hexByte reads two digits after so many bytes.
func hexByte(b []byte, after int, into []byte) (char []byte, length int, more bool) {
	digits := b[after:min(len(b), after+2)]
	switch {
	case len(digits) > 0 && !isHex(digits[0]) || len(digits) > 1 && !isHex(digits[1]):
		return nil, 0, false
	case len(digits) < 2:
		return nil, 0, true
	}
	return append(into, digit(digits[0])<<4|digit(digits[1])), after + 2, false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func digit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	} else if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}

// unit reads \uXXXX; r is negative if b does not begin with it.
func unit(b []byte) (r rune, more bool) {
	for i := range min(len(b), 6) {
		switch {
		case i < 2 && b[i] != `\u`[i], i >= 2 && !isHex(b[i]):
			return -1, false
		case i >= 2:
			r = r<<4 | rune(digit(b[i]))
		}
	}
	return r, len(b) < 6
}
