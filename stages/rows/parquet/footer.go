package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// The physical types of values.
const (
	typeBoolean    = 0
	typeInt32      = 1
	typeInt64      = 2
	typeInt96      = 3 // of old writers; read as null
	typeFloat      = 4
	typeDouble     = 5
	typeByteArray  = 6
	typeFixedBytes = 7
)

// leaf is a column of the schema that holds at most one value for each row.
type leaf struct {
	name     string
	kind     int64 // physical type
	length   int64 // of each value of typeFixedBytes
	optional bool
	index    int // of its chunk in every row group
}

// chunk is where a row group's values of one column lie.
type chunk struct{ start, size, codec int64 }

// group holds the chunks of the leaves that are read, in the order of those.
type group struct {
	rows   int64
	chunks []chunk
}

// Caps of the metadata at a file's end: its bytes, which are held in memory, the columns
// of its schema and how deep they nest.
const (
	maxFooter = 32 << 20
	maxLeaves = 1 << 18
	maxDepth  = 256
)

// readFooter returns the metadata at the end of a file of that size.
func readFooter(in io.ReaderAt, size int64) ([]byte, error) {
	var tail [8]byte
	head := make([]byte, min(size, 4))
	if _, err := in.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(head) != "PAR1" {
		return nil, noParquet(head)
	}
	if size < 12 {
		return nil, fmt.Errorf("broken parquet file: %d bytes", size)
	}
	if _, err := in.ReadAt(tail[:], size-8); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if string(tail[4:]) != "PAR1" || n > size-12 {
		return nil, errors.New("broken parquet file: its end is missing: is the file whole?")
	}
	if n > maxFooter {
		return nil, fmt.Errorf("broken parquet file: a footer of %d bytes, more than %d", n, maxFooter)
	}
	footer := make([]byte, n)
	if _, err := in.ReadAt(footer, size-8-n); err != nil {
		return nil, err
	}
	return footer, nil
}

// readSchema lists the leaves of a footer that lie at the schema's top and do not repeat.
// Of the others nothing is kept.
func readSchema(footer []byte) ([]leaf, error) {
	c := &compact{data: footer}
	var out []leaf
	var left []int64 // of each open group: children that did not come yet
	leaves, found := 0, false
	err := c.fields(func(id int64, kind byte) error {
		if id != 2 {
			return c.skip(kind)
		}
		found = true
		return c.structs(kind, func() error {
			e, children, err := schemaElement(c)
			if err != nil {
				return err
			}
			if left == nil { // the root
				left = append(left, children)
				return nil
			}
			for len(left) > 0 && left[len(left)-1] == 0 {
				left = left[:len(left)-1]
			}
			switch {
			case len(left) == 0 || children < 0:
				return errors.New("a schema whose groups do not hold its columns")
			case len(left) > maxDepth || leaves >= maxLeaves:
				return fmt.Errorf("a schema of more than %d columns or %d levels", maxLeaves, maxDepth)
			}
			left[len(left)-1]--
			if e.kind < 0 {
				left = append(left, children)
				return nil
			}
			if e.index = leaves; len(left) == 1 && e.name != repeats {
				out = append(out, e)
			}
			leaves++
			return nil
		})
	})
	if err == nil && !found {
		err = errors.New("a footer without a schema")
	}
	return out, err
}

// repeats stands for the name of a leaf that may have several values in a row.
const repeats = "\x00repeats"

// schemaElement reads a leaf, or a group: its kind is negative, and children follow it.
func schemaElement(c *compact) (e leaf, children int64, err error) {
	e.kind = -1
	var repetition int64
	err = c.fields(func(id int64, kind byte) error {
		switch id {
		case 1:
			return c.number(kind, &e.kind)
		case 2:
			return c.number(kind, &e.length)
		case 3:
			return c.number(kind, &repetition)
		case 4:
			if kind != thriftBinary {
				return errors.New("a column's name that is no text")
			}
			name, err := c.binary()
			e.name = string(name)
			return err
		case 5:
			return c.number(kind, &children)
		}
		return c.skip(kind)
	})
	if e.kind > typeFixedBytes || e.kind == typeFixedBytes && (e.length < 0 || e.length > math.MaxInt32) {
		err = errors.Join(err, fmt.Errorf("column %q is of type %d and length %d", e.name, e.kind, e.length))
	}
	e.optional = repetition == 1
	if repetition == 2 {
		e.name = repeats
	}
	return e, children, err
}

// eachRowGroup calls visit for the row groups of a footer with the chunks of these
// leaves, which lie within a file of that size and share no bytes. The chunks are reused
// for the next one.
func eachRowGroup(footer []byte, leaves []leaf, size int64, visit func(number int, g group) error) error {
	c := &compact{data: footer}
	free, number := size, 0
	var g group
	return c.fields(func(id int64, kind byte) error {
		if id != 4 {
			return c.skip(kind)
		}
		return c.structs(kind, func() error {
			number++
			if err := g.read(c, leaves); err != nil {
				return fmt.Errorf("row group %d: %w", number, err)
			}
			for _, ch := range g.chunks {
				if ch.start < 0 || ch.size < 0 || ch.start > size || ch.size > size-ch.start {
					return fmt.Errorf("row group %d: a column of %d bytes at %d in a file of %d", number, ch.size, ch.start, size)
				}
				// Chunks that shared their bytes would be read again and again.
				if free -= ch.size; free < 0 {
					return fmt.Errorf("columns of more than the file's %d bytes", size)
				}
			}
			return visit(number, g)
		})
	})
}

func (g *group) read(c *compact, leaves []leaf) error {
	g.rows, g.chunks = -1, g.chunks[:0]
	err := c.fields(func(id int64, kind byte) error {
		switch id {
		case 1:
			index := 0
			return c.structs(kind, func() error {
				wanted := len(g.chunks) < len(leaves) && leaves[len(g.chunks)].index == index
				index++
				if !wanted {
					return c.skip(thriftStruct)
				}
				ch, err := readChunk(c)
				g.chunks = append(g.chunks, ch)
				return err
			})
		case 3:
			return c.number(kind, &g.rows)
		}
		return c.skip(kind)
	})
	switch {
	case err != nil:
		return err
	case g.rows < 0 || g.rows > math.MaxInt64/64:
		return fmt.Errorf("%d rows", g.rows)
	case len(g.chunks) < len(leaves):
		return fmt.Errorf("it has no values of column %q", leaves[len(g.chunks)].name)
	}
	return nil
}

func readChunk(c *compact) (ch chunk, err error) {
	var data, dictionary int64
	err = c.fields(func(id int64, kind byte) error {
		if id != 3 || kind != thriftStruct {
			return c.skip(kind)
		}
		return c.fields(func(id int64, kind byte) error {
			switch id {
			case 4:
				return c.number(kind, &ch.codec)
			case 7:
				return c.number(kind, &ch.size)
			case 9:
				return c.number(kind, &data)
			case 11:
				return c.number(kind, &dictionary)
			}
			return c.skip(kind)
		})
	})
	if ch.start = data; dictionary != 0 {
		ch.start = dictionary
	}
	return ch, err
}
