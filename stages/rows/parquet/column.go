package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

// column reads the values of one leaf in one row group after the other.
type column struct {
	leaf
	place int // in a record
	pages *pages
	chunk chunk // what was not read of it

	left       int   // values of the page that were not read yet
	levels     *runs // 1 for each value that is there; nil if all are
	values     values
	dictionary []table.Cell
	buffer     []byte // of the page
	held       int64  // bytes of buffer and dictionary
}

// pages is what the columns of a file share.
type pages struct {
	in     io.ReaderAt
	budget *table.Budget
	unpacker
	packed []byte
	held   int64
}

// maxHeld caps the pages and dictionaries of all columns that are in memory at once.
const maxHeld = 128 << 20

// A decompressed byte is cheap beside one that becomes text: it costs this share of one.
const pageShare = 8

// cellSize is what an entry of a dictionary takes beside its text.
const cellSize = 40

func (c *column) next() (table.Cell, error) {
	for c.left == 0 {
		if err := c.nextPage(); err != nil {
			return table.Cell{}, err
		}
	}
	c.left--
	if c.levels != nil {
		if level, err := c.levels.next(); err != nil || level == 0 {
			return table.Null(), err
		}
	}
	return c.values.next()
}

// reset goes to a chunk.
func (c *column) reset(ch chunk) {
	c.chunk, c.left, c.dictionary = ch, 0, nil
	_ = c.hold(int64(cap(c.buffer))) // never more than before
}

// hold says how much the column keeps in memory now.
func (c *column) hold(n int64) error {
	c.pages.held += n - c.held
	if c.held = n; c.pages.held > maxHeld {
		return fmt.Errorf("%w: its pages take more than %d MB at once", table.ErrBudget, maxHeld>>20)
	}
	return nil
}

func (c *column) nextPage() error {
	if c.chunk.size == 0 {
		return errEnds
	}
	end := c.chunk.start + c.chunk.size
	h, n, err := readPageHeader(c.pages.in, c.chunk.start, end)
	if err != nil {
		return fmt.Errorf("the page at %d: %w", c.chunk.start, err)
	}
	at := c.chunk.start + n
	if h.packed > end-at {
		return fmt.Errorf("the page at %d: %d bytes where %d are left", c.chunk.start, h.packed, end-at)
	}
	c.chunk.start, c.chunk.size = at+h.packed, end-at-h.packed
	switch h.kind {
	case pageData, pageDataV2, pageDictionary:
	default:
		return nil
	}
	data, err := c.load(h, at)
	if err == nil && h.kind == pageDictionary {
		err = c.setDictionary(h, data)
	} else if err == nil {
		err = c.setPage(h, data)
	}
	if err != nil {
		return fmt.Errorf("the page at %d: %w", at-n, err)
	}
	return nil
}

// load reads the page at at and decompresses it; the levels of data v2 are never
// compressed.
func (c *column) load(h pageHeader, at int64) ([]byte, error) {
	levels := h.definition + h.repeated
	switch {
	case max(h.packed, h.unpacked) > maxPage:
		return nil, fmt.Errorf("%d bytes, more than %d", max(h.packed, h.unpacked), maxPage)
	case h.kind == pageDataV2 && levels > min(h.packed, h.unpacked):
		return nil, fmt.Errorf("levels of %d bytes in a page of %d", levels, h.packed)
	}
	size := h.unpacked
	plain := c.chunk.codec == 0 || h.kind == pageDataV2 && h.plain
	if plain {
		size, levels = h.packed, 0
	} else if h.kind != pageDataV2 {
		levels = 0
	}
	if err := c.pages.budget.Spend(size / pageShare); err != nil {
		return nil, err
	}
	// A dictionary has a buffer of its own: its texts are copied out of it.
	buffer := c.buffer
	if int64(cap(buffer)) < size {
		c.buffer = nil
		if err := c.hold(c.held - int64(cap(buffer)) + size); err != nil {
			return nil, err
		}
		buffer = make([]byte, size)
		c.buffer = buffer
	}
	buffer = buffer[:size]
	if plain {
		_, err := c.pages.in.ReadAt(buffer, at)
		return buffer, err
	}
	if int64(cap(c.pages.packed)) < h.packed {
		c.pages.packed = make([]byte, h.packed)
	}
	packed := c.pages.packed[:h.packed]
	if _, err := c.pages.in.ReadAt(packed, at); err != nil {
		return nil, err
	}
	copy(buffer, packed[:levels])
	data, err := c.pages.unpack(c.chunk.codec, buffer[levels:], packed[levels:])
	if err == nil && int64(len(data)) > size-levels {
		err = errOverfull
	}
	if err != nil {
		return nil, err
	}
	copy(buffer[levels:], data) // which is there already, unless the library took another place
	return buffer[:levels+int64(len(data))], nil
}

// setDictionary keeps the values of a dictionary's page.
func (c *column) setDictionary(h pageHeader, data []byte) error {
	least := int64(c.width()) // bytes of a value
	if c.kind == typeByteArray {
		least = 4
	}
	if h.values > int64(len(data))/max(least, 1) {
		return fmt.Errorf("a dictionary of %d values in %d bytes", h.values, len(data))
	}
	if err := c.hold(int64(cap(c.buffer)) + int64(len(data)) + cellSize*h.values); err != nil {
		return err
	}
	if err := c.pages.budget.Spend(h.values); err != nil {
		return err
	}
	v, err := newValues(c.leaf, encodingPlain, data, int(h.values), nil)
	if err != nil {
		return err
	}
	c.dictionary = make([]table.Cell, h.values)
	for i := range c.dictionary {
		if c.dictionary[i], err = v.next(); err != nil {
			return err
		}
	}
	return nil
}

// setPage begins a page of data.
func (c *column) setPage(h pageHeader, data []byte) (err error) {
	var levels []byte
	switch {
	case h.kind == pageDataV2:
		levels, data = data[h.repeated:h.repeated+h.definition], data[h.repeated+h.definition:]
	case c.optional && h.levelEncoding != encodingRLE:
		return fmt.Errorf("levels in encoding %d", h.levelEncoding)
	case c.optional:
		if len(data) < 4 {
			return errEnds
		}
		n := binary.LittleEndian.Uint32(data)
		if uint64(n) > uint64(len(data)-4) {
			return fmt.Errorf("levels of %d bytes in a page of %d", n, len(data))
		}
		levels, data = data[4:4+n], data[4+n:]
	}
	c.left, c.levels = int(h.values), nil
	if c.optional && (h.kind == pageData || len(levels) > 0) {
		r, err := newRuns(levels, 1)
		if err != nil {
			return err
		}
		c.levels = &r
	}
	if (h.encoding == encodingDictionary || h.encoding == encodingPlainDictionary) && c.dictionary == nil {
		return errors.New("values of a dictionary that is not there")
	}
	c.values, err = newValues(c.leaf, h.encoding, data, c.left, c.dictionary)
	return err
}
