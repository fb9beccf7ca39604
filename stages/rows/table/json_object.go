package table

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader reads JSON objects into a record, value by value. It takes what encoding/json
// takes, and what RepairJSON makes of other texts.
type jsonReader struct {
	record *Record
	data   []byte
	at     int
	texts  []byte // of the values that are of use, reused
	key    []byte // reused
	values []jsonValue
	mark   int // place of MendedMark
}

// jsonValue is a value that is of use: a cell, or a part of texts.
type jsonValue struct {
	place    int
	cell     Cell
	from, to int
}

func newJSONReader(columns *Columns) *jsonReader {
	p := &jsonReader{record: NewRecord(columns), mark: -1}
	if place, ok, err := columns.Place(MendedMark); ok && err == nil {
		p.mark = place
	}
	return p
}

// read reads a text into the record; ok is false if it is no object. An error says that
// there are too many columns.
func (p *jsonReader) read(line []byte) (ok bool, err error) {
	ok, err = p.object(line)
	if !ok && err == nil {
		if mended, dropped := RepairJSON(line); dropped > 0 {
			ok, err = p.object(mended)
		}
	}
	if !ok || err != nil {
		return false, err
	}
	texts := string(p.texts)
	for _, v := range p.values {
		if v.cell.kind == text {
			v.cell.text = texts[v.from:v.to]
		}
		p.record.Set(v.place, v.cell)
	}
	// Bytes that are no UTF-8 became U+FFFD; the reader of the record counts.
	if p.mark >= 0 && !utf8.Valid(line) {
		p.record.Set(p.mark, Null())
	}
	return true, nil
}

// object reads a whole text.
func (p *jsonReader) object(line []byte) (ok bool, err error) {
	clear(p.record.Cells)
	p.data, p.at, p.texts, p.values = line, 0, p.texts[:0], p.values[:0]
	if !p.token('{') {
		return false, nil
	}
	if p.token('}') {
		return p.end(), nil
	}
	for {
		p.space()
		key, ok := p.name()
		if !ok || !p.token(':') {
			return false, nil
		}
		slot, err := p.record.slot(key)
		if err != nil {
			return false, err
		}
		if slot.ok && slot.weak && p.record.At(slot.place).Present() {
			slot.ok = false
		}
		p.space()
		if !p.value(slot) {
			return false, nil
		}
		switch {
		case p.token(','):
		case p.token('}'):
			return p.end(), nil
		default:
			return false, nil
		}
	}
}

// slot is find without a copy of the name.
func (c *Columns) slot(name []byte) (slot, error) {
	if s, known := c.slots[string(name)]; known {
		return s, nil
	}
	return c.find(string(name))
}

func (p *jsonReader) space() {
	for p.at < len(p.data) && isSpace(p.data[p.at]) {
		p.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// token takes a sign after white space, if it is there.
func (p *jsonReader) token(sign byte) bool {
	p.space()
	if p.at < len(p.data) && p.data[p.at] == sign {
		p.at++
		return true
	}
	return false
}

// end reports whether nothing follows.
func (p *jsonReader) end() bool {
	p.space()
	return p.at == len(p.data)
}

// name reads a name; it is valid until the next one.
func (p *jsonReader) name() (name []byte, ok bool) {
	if p.at >= len(p.data) || p.data[p.at] != '"' {
		return nil, false
	}
	p.key, ok = p.text(p.key[:0])
	return p.key, ok
}

// value reads a value and keeps it where it is of use.
func (p *jsonReader) value(s slot) bool {
	if p.at >= len(p.data) {
		return false
	}
	from := len(p.texts)
	var cell Cell
	switch c := p.data[p.at]; {
	case c == '"':
		var ok bool
		if p.texts, ok = p.text(p.texts); !ok {
			return false
		}
		cell.kind = text
	case c == '{' || c == '[':
		n := elementLen(p.data[p.at:])
		if n < 0 || !json.Valid(p.data[p.at:p.at+n]) {
			return false
		}
		p.at += n
	case c == 't':
		cell = Number(1)
		return p.word("true") && p.keep(s, cell, from)
	case c == 'f':
		cell = Number(0)
		return p.word("false") && p.keep(s, cell, from)
	case c == 'n':
		cell = Null()
		return p.word("null") && p.keep(s, cell, from)
	default:
		f, ok := p.number()
		if !ok {
			return false
		}
		cell = Number(f)
	}
	return p.keep(s, cell, from)
}

// keep notes a value whose text, if it is one, begins at from.
func (p *jsonReader) keep(s slot, cell Cell, from int) bool {
	if !s.ok {
		p.texts = p.texts[:from]
		return true
	}
	p.record.Set(s.place, cell)
	p.values = append(p.values, jsonValue{s.place, cell, from, len(p.texts)})
	return true
}

func (p *jsonReader) word(word string) bool {
	if !bytes.HasPrefix(p.data[p.at:], []byte(word)) {
		return false
	}
	p.at += len(word)
	return true
}

// number reads a number of JSON's grammar that a float64 can hold.
func (p *jsonReader) number() (f float64, ok bool) {
	b, i := p.data[p.at:], 0
	digits := func() bool {
		from := i
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0, false
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return 0, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(b[:i]), 64)
	p.at += i
	return f, err == nil && !math.IsInf(f, 0)
}

// text appends the text that begins at a quote to out. Control characters, and escapes that
// JSON does not know, make it none.
func (p *jsonReader) text(out []byte) (_ []byte, ok bool) {
	p.at++
	for {
		b := p.data[p.at:]
		i := plainLen(b)
		out = append(out, b[:i]...)
		if p.at += i; i == len(b) {
			return out, false
		}
		switch c := b[i]; {
		case c == '"':
			p.at++
			return out, true
		case c == '\\':
			if out, ok = p.escape(out); !ok {
				return out, false
			}
		case c < utf8.RuneSelf:
			return out, false // a control character
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError {
				out = utf8.AppendRune(out, r)
			} else {
				out = append(out, b[i:i+n]...)
			}
			p.at += n
		}
	}
}

// plainLen is the length of what stands for itself: ASCII without quotes, backslashes and
// control characters.
func plainLen(b []byte) int {
	for i, c := range b {
		if c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return i
		}
	}
	return len(b)
}

// escape appends the character of an escape.
func (p *jsonReader) escape(out []byte) (_ []byte, ok bool) {
	b := p.data[p.at:]
	n := escapeLen(b)
	if n == 0 {
		return out, false
	}
	p.at += n
	switch b[1] {
	case 'b':
		return append(out, '\b'), true
	case 'f':
		return append(out, '\f'), true
	case 'n':
		return append(out, '\n'), true
	case 'r':
		return append(out, '\r'), true
	case 't':
		return append(out, '\t'), true
	case 'u':
		r := hex4(b[2:6])
		if utf16.IsSurrogate(r) {
			next := p.data[p.at:]
			low := rune(utf8.RuneError)
			if escapeLen(next) == 6 {
				low = hex4(next[2:6])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				p.at += 6
			}
		}
		return utf8.AppendRune(out, r), true
	}
	return append(out, b[1]), true
}

// hex4 reads four digits that are known to be some.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b {
		switch {
		case c <= '9':
			c -= '0'
		case c <= 'F':
			c -= 'A' - 10
		default:
			c -= 'a' - 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
