// Package text opens files of text as people have them: compressed by gzip, and in the
// encodings that spreadsheets and editors write.
//
// text.go unpacks and decodes a stream, encoding.go finds the encoding, magic.go knows the
// files that are no text. What stands in the text is decided in package table.
package text

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

// Auto is the encoding that is found out.
const Auto = "auto"

// The encodings that are found out.
const (
	UTF8        = "utf-8"
	UTF16LE     = "utf-16le"
	UTF16BE     = "utf-16be"
	Windows1252 = "windows-1252"
)

// block is how much is looked at to tell how a file is written.
const block = 64 << 10

// Reader is the text of a file in UTF-8, without a byte order mark. Bytes that are no
// UTF-8 come as they are where the file claims to be.
type Reader struct {
	raw      *bufio.Reader // unpacked, as encoded
	decoded  io.Reader     // nil while bytes pass as they are
	ascii    bool          // nothing else was seen so far, and the encoding is open
	pending  []byte        // of a block of raw, looked at already
	gzip     bool
	encoding string
}

// Open begins to read a file. encoding is a name of the WHATWG's list, such as
// windows-1252 or shift_jis; Auto and the empty name find it out. The budget is told of
// the file's bytes, and pays for what is unpacked. What is no text is an error that wraps
// table.ErrFormat and says what to write instead.
func Open(r io.Reader, encoding string, budget *table.Budget) (*Reader, error) {
	t := &Reader{raw: bufio.NewReaderSize(&counted{r, budget}, block), encoding: UTF8}
	head, err := t.raw.Peek(len(gzipMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.Equal(head, gzipMagic) {
		z, err := gzip.NewReader(t.raw)
		if err != nil {
			return nil, fmt.Errorf("%w: broken gzip file: %w", table.ErrFormat, err)
		}
		t.gzip = true
		t.raw = bufio.NewReaderSize(&unpacked{z, budget}, block)
	}
	return t, t.begin(encoding)
}

// begin looks at the first block, or only at what is there where the encoding is given: a
// stream may be slow then.
func (t *Reader) begin(encoding string) error {
	look := block
	if encoding != "" && encoding != Auto {
		_, _ = t.raw.Peek(1) // the next Peek has its error
		look = max(1, t.raw.Buffered())
	}
	head, err := t.raw.Peek(look)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := refuse(head); err != nil {
		return err
	}
	if encoding != "" && encoding != Auto {
		return t.decodeAs(encoding)
	}
	switch name, mark := marked(head); {
	case mark > 0:
		_, err = t.raw.Discard(mark)
		t.decode(name)
	case name != "":
		t.decode(name)
	default:
		t.ascii = true
		err = nil
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// decodeAs decodes by the name that somebody gave.
func (t *Reader) decodeAs(name string) error {
	e, err := Find(name)
	if err != nil {
		return err
	}
	t.encoding = name
	if e == unicode.UTF8 {
		if head, _ := t.raw.Peek(3); string(head) == "\xef\xbb\xbf" {
			_, err = t.raw.Discard(3)
		}
		return err
	}
	t.decoded = transform.NewReader(t.raw, unicode.BOMOverride(e.NewDecoder()))
	return nil
}

// decode decodes by an encoding that was found.
func (t *Reader) decode(name string) {
	t.encoding = name
	switch name {
	case UTF16LE:
		t.decoded = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Reader(t.raw)
	case UTF16BE:
		t.decoded = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Reader(t.raw)
	case Windows1252:
		t.decoded = charmap.Windows1252.NewDecoder().Reader(io.MultiReader(bytes.NewReader(t.pending), t.raw))
		t.pending = nil
	}
}

// Find returns an encoding by its name.
func Find(name string) (encoding.Encoding, error) {
	e, err := htmlindex.Get(name)
	if err != nil {
		return nil, fmt.Errorf("no encoding is called %q; for example utf-8, utf-16, windows-1252, iso-8859-15, shift_jis, gbk", name)
	}
	return e, nil
}

// Read reads text. Between ASCII and the first other byte the encoding stays open: it is
// told by a whole block from there.
func (t *Reader) Read(p []byte) (int, error) {
	for {
		if len(t.pending) > 0 {
			n := copy(p, t.pending)
			t.pending = t.pending[n:]
			return n, nil
		}
		if t.decoded != nil {
			return t.decoded.Read(p)
		}
		if !t.ascii {
			return t.raw.Read(p)
		}
		head, err := t.raw.Peek(block)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		plain := asciiPrefix(head)
		if plain == 0 && len(head) > 0 {
			t.ascii = false
			t.decode(guess(head, err != nil))
			continue
		}
		if plain == 0 {
			return 0, io.EOF
		}
		n := copy(p, head[:plain])
		if _, err := t.raw.Discard(n); err != nil {
			return 0, err
		}
		return n, nil
	}
}

// Gzip reports whether the file was compressed.
func (t *Reader) Gzip() bool { return t.gzip }

// Encoding is that of what was read so far.
func (t *Reader) Encoding() string { return t.encoding }

// counted tells a budget of the bytes of a file.
type counted struct {
	r      io.Reader
	budget *table.Budget
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.budget.Read(int64(n))
	return n, err
}

// unpacked pays for what a compressed file unpacks to.
type unpacked struct {
	z      *gzip.Reader
	budget *table.Budget
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	if spent := u.budget.Spend(int64(n)); spent != nil {
		return 0, spent
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("%w: the gzip file ends early", table.ErrFormat)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		err = fmt.Errorf("%w: broken gzip file: %w", table.ErrFormat, err)
	case err != nil && !errors.Is(err, io.EOF):
		if _, corrupt := errors.AsType[corruptInput](err); corrupt {
			err = fmt.Errorf("%w: broken gzip file: %w", table.ErrFormat, err)
		}
	}
	return n, err
}
