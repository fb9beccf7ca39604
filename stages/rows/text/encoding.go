package text

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"unicode/utf8"
)

type corruptInput = flate.CorruptInputError

// marked tells the encoding by the byte order mark at a file's begin, or by the zero
// bytes of UTF-16 without one; mark is the length of the mark. It is empty if there is
// neither.
func marked(head []byte) (name string, mark int) {
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return UTF8, 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return UTF16LE, 2
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return UTF16BE, 2
	}
	var zeros [2]int // at even and at odd places
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	units := len(head) / 2
	switch {
	case units < 4: // too little to tell
	case zeros[1] > units/2 && zeros[0] <= units/20:
		return UTF16LE, 0
	case zeros[0] > units/2 && zeros[1] <= units/20:
		return UTF16BE, 0
	}
	return "", 0
}

// asciiPrefix is the length of the ASCII at the begin.
func asciiPrefix(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if binary.LittleEndian.Uint64(b[i:])&0x8080808080808080 != 0 {
			break
		}
	}
	for ; i < len(b) && b[i] < utf8.RuneSelf; i++ {
	}
	return i
}

// guess tells UTF-8 from Windows-1252, which holds Latin-1, by text that is not ASCII
// alone; last says that the file ends with it. UTF-8 with faults in it stays UTF-8: bytes
// that no text of Windows-1252 has, or many characters of UTF-8 beside them, show it.
func guess(b []byte, last bool) string {
	chars, others := 0, 0
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		switch {
		case r != utf8.RuneError || n > 1:
			chars++
		case !last && !utf8.FullRune(b):
			return guessed(chars, others)
		case !written1252(b[0]):
			return UTF8
		default:
			others++
		}
		b = b[n:]
	}
	return guessed(chars, others)
}

func guessed(chars, others int) string {
	if others > 20*chars {
		return Windows1252
	}
	return UTF8
}

// written1252 reports whether people write the character that a byte over 127 stands for
// in Windows-1252: letters, quotes, dashes and signs.
func written1252(c byte) bool {
	switch c {
	case 0x81, 0x83, 0x88, 0x8d, 0x8f, 0x90, 0x98, 0x9d, 0xad, 0xff: // none, ƒ, ˆ, ˜, a soft hyphen, ÿ
		return false
	}
	return true
}
