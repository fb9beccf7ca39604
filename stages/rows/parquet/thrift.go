package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The types of Thrift's compact protocol. A boolean field has its value as its type.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftInt16  = 4
	thriftInt32  = 5
	thriftInt64  = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// maxNesting caps how deep the values of a footer or a page header nest; the format
// needs less than ten levels.
const maxNesting = 32

var errShort = errors.New("it ends within a value")

// compact reads Thrift's compact protocol. It allocates nothing, whatever the bytes
// announce: what is of no use is walked over.
type compact struct {
	data []byte
	at   int
}

func (c *compact) uvarint() (uint64, error) {
	v, n := binary.Uvarint(c.data[c.at:])
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, errors.New("a number of more than 64 bits")
	}
	c.at += n
	return v, nil
}

// integer reads a number of any width but a byte's.
func (c *compact) integer() (int64, error) {
	v, err := c.uvarint()
	return int64(v>>1) ^ -int64(v&1), err
}

// take returns the next n bytes.
func (c *compact) take(n uint64) ([]byte, error) {
	if n > uint64(len(c.data)-c.at) {
		return nil, errShort
	}
	c.at += int(n)
	return c.data[c.at-int(n) : c.at], nil
}

func (c *compact) binary() ([]byte, error) {
	n, err := c.uvarint()
	if err != nil {
		return nil, err
	}
	return c.take(n)
}

// fields calls read for every field of a struct; read takes the value, or skips it.
func (c *compact) fields(read func(id int64, kind byte) error) error {
	id := int64(0)
	for {
		head, err := c.take(1)
		if err != nil {
			return err
		}
		kind := head[0] & 15
		if head[0] == 0 {
			return nil
		}
		if step := int64(head[0] >> 4); step != 0 {
			id += step
		} else if id, err = c.integer(); err != nil {
			return err
		}
		if err := read(id, kind); err != nil {
			return err
		}
	}
}

// list reads the head of a list: how many elements of which type follow. Each takes a
// byte at least.
func (c *compact) list() (n int, kind byte, err error) {
	head, err := c.take(1)
	if err != nil {
		return 0, 0, err
	}
	size := uint64(head[0] >> 4)
	if size == 15 {
		if size, err = c.uvarint(); err != nil {
			return 0, 0, err
		}
	}
	if left := len(c.data) - c.at; size > uint64(left) {
		return 0, 0, fmt.Errorf("a list of %d where %d bytes are left: %w", size, left, errShort)
	}
	return int(size), head[0] & 15, nil
}

// structs calls read for every struct of a list.
func (c *compact) structs(kind byte, read func() error) error {
	if kind != thriftList {
		return fmt.Errorf("a value of type %d where a list is due", kind)
	}
	n, kind, err := c.list()
	if err != nil {
		return err
	}
	if kind != thriftStruct && n > 0 {
		return fmt.Errorf("a list of values of type %d where structs are due", kind)
	}
	for range n {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// number reads a field that is an integer into v.
func (c *compact) number(kind byte, v *int64) (err error) {
	if kind != thriftInt16 && kind != thriftInt32 && kind != thriftInt64 {
		return fmt.Errorf("a value of type %d where a number is due", kind)
	}
	*v, err = c.integer()
	return err
}

// skip walks over the value of a field.
func (c *compact) skip(kind byte) error { return c.skipAt(kind, 0) }

func (c *compact) skipAt(kind byte, depth int) error {
	if depth > maxNesting {
		return errors.New("values that nest too deep")
	}
	var err error
	switch kind {
	case thriftTrue, thriftFalse:
	case thriftByte:
		_, err = c.take(1)
	case thriftInt16, thriftInt32, thriftInt64:
		_, err = c.uvarint()
	case thriftDouble:
		_, err = c.take(8)
	case thriftBinary:
		_, err = c.binary()
	case thriftList, thriftSet:
		n, element, err := c.list()
		if err != nil {
			return err
		}
		return c.skipElements(n, depth, element)
	case thriftMap:
		n, err := c.uvarint()
		if err != nil || n == 0 {
			return err
		}
		kinds, err := c.take(1)
		if err != nil {
			return err
		}
		if n > uint64(len(c.data)-c.at) {
			return errShort
		}
		return c.skipElements(int(n), depth, kinds[0]>>4, kinds[0]&15)
	case thriftStruct:
		return c.fields(func(_ int64, kind byte) error { return c.skipAt(kind, depth+1) })
	default:
		return fmt.Errorf("a value of type %d", kind)
	}
	return err
}

// skipElements walks n times over values of these types. Among elements a boolean is a
// byte.
func (c *compact) skipElements(n, depth int, kinds ...byte) error {
	for range n {
		for _, kind := range kinds {
			if kind == thriftTrue || kind == thriftFalse {
				kind = thriftByte
			}
			if err := c.skipAt(kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
