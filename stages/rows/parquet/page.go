package parquet

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The types of pages.
const (
	pageData       = 0
	pageDictionary = 2
	pageDataV2     = 3
)

// pageHeader is what stands before a page. Which fields count depends on the type.
type pageHeader struct {
	kind                 int64
	unpacked, packed     int64 // bytes
	values, encoding     int64
	levelEncoding        int64 // of data
	definition, repeated int64 // bytes of levels, of data v2
	plain                bool  // data v2 whose values are not compressed
}

func (h *pageHeader) read(c *compact) error {
	*h = pageHeader{kind: -1, levelEncoding: encodingRLE}
	err := c.fields(func(id int64, kind byte) error {
		switch id {
		case 1:
			return c.number(kind, &h.kind)
		case 2:
			return c.number(kind, &h.unpacked)
		case 3:
			return c.number(kind, &h.packed)
		case 5, 7, 8:
			if kind == thriftStruct {
				return h.readKind(c, id)
			}
		}
		return c.skip(kind)
	})
	for _, n := range []int64{h.unpacked, h.packed, h.values, h.definition, h.repeated} {
		if err == nil && (n < 0 || n > math.MaxInt32) {
			err = fmt.Errorf("a page header that says %d", n)
		}
	}
	return err
}

// readKind reads the part of a header that only its type has: field 5 is for data, 7 for
// a dictionary, 8 for data v2.
func (h *pageHeader) readKind(c *compact, part int64) error {
	return c.fields(func(id int64, kind byte) error {
		switch {
		case id == 1:
			return c.number(kind, &h.values)
		case id == 2 && part != 8, id == 4 && part == 8:
			return c.number(kind, &h.encoding)
		case id == 3 && part == 5:
			return c.number(kind, &h.levelEncoding)
		case id == 5 && part == 8:
			return c.number(kind, &h.definition)
		case id == 6 && part == 8:
			return c.number(kind, &h.repeated)
		case id == 7 && part == 8:
			h.plain = kind == thriftFalse
		}
		return c.skip(kind)
	})
}

// headerWindow is where a page's header is first looked for; one with a least and a
// greatest value may be longer, up to maxHeader.
const (
	headerWindow = 4 << 10
	maxHeader    = 16 << 20
)

// readPageHeader reads the header at at, before end, and returns its length.
func readPageHeader(in io.ReaderAt, at, end int64) (h pageHeader, n int64, err error) {
	for size := int64(headerWindow); ; size *= 8 {
		window := make([]byte, min(size, end-at))
		if _, err := in.ReadAt(window, at); err != nil && !errors.Is(err, io.EOF) {
			return h, 0, err
		}
		c := &compact{data: window}
		if err = h.read(c); err == nil || !errors.Is(err, errShort) || size >= min(end-at, maxHeader) {
			return h, int64(c.at), err
		}
	}
}

// maxPage caps what one page may hold, in bytes; writers make pages of about a megabyte,
// some of a whole row group.
const maxPage = 64 << 20

// unpacker decompresses pages.
type unpacker struct{ zstd *zstd.Decoder }

// unpack decompresses a page into dst, which it fills at most: what a page holds is what
// its header says or less. A library that panics on broken bytes finds them broken.
func (u *unpacker) unpack(codec int64, dst, packed []byte) (data []byte, err error) {
	if len(packed) == 0 {
		return dst[:0], nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it cannot be decompressed: %v", p)
		}
	}()
	switch codec {
	case 1:
		n, err := snappy.DecodedLen(packed)
		if err == nil && n > len(dst) {
			err = errOverfull
		}
		if err != nil {
			return nil, err
		}
		return snappy.Decode(dst, packed)
	case 2:
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, err
		}
		return readWithin(r, dst)
	case 4:
		return readWithin(brotli.NewReader(bytes.NewReader(packed)), dst)
	case 6:
		if u.zstd == nil {
			var err error
			if u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage), zstd.WithDecodeAllCapLimit(true)); err != nil {
				return nil, err
			}
		}
		return u.zstd.DecodeAll(packed, dst[:0:len(dst)])
	case 7:
		n, err := lz4.UncompressBlock(packed, dst)
		return dst[:max(n, 0)], err
	}
	return nil, fmt.Errorf("compression codec %d is not known", codec)
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
}

var errOverfull = errors.New("a page holds more than its header says")

// readWithin reads r to its end into dst.
func readWithin(r io.Reader, dst []byte) ([]byte, error) {
	n, err := io.ReadFull(r, dst)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) && n == 0 {
		return dst[:n], nil
	}
	if err != nil {
		return nil, err
	}
	if more, err := io.ReadFull(r, make([]byte, 1)); more > 0 || !errors.Is(err, io.EOF) {
		return nil, cmp.Or(err, errOverfull)
	}
	return dst[:n], nil
}
