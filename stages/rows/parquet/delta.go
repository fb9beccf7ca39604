package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

// deltas reads numbers of which each is written as the difference to the one before, in
// blocks of equally wide differences (DELTA_BINARY_PACKED).
type deltas struct {
	data      []byte // after the current block's widths and differences
	narrow    bool   // numbers of 32 bits
	left      int    // numbers that were not read yet
	last      int64
	first     bool // last was not returned yet
	miniBlock int  // numbers of each miniature block
	minis     int  // miniature blocks of each block
	widths    []byte
	base      int64 // the least difference of the block
	packed    []byte
	at, count int // bit, and numbers left in the miniature block
}

var errDelta = errors.New("a broken head of differences")

// newDeltas reads at most count numbers and returns what follows all of them.
func newDeltas(data []byte, narrow bool, count int) (d deltas, rest []byte, err error) {
	var head [3]uint64
	for i := range head {
		v, n := binary.Uvarint(data)
		if n <= 0 {
			return d, nil, errDelta
		}
		head[i], data = v, data[n:]
	}
	last, n := binary.Varint(data)
	size, minis, total := head[0], head[1], head[2]
	if n <= 0 || minis == 0 || size == 0 || size > 1<<20 || size%minis != 0 || size/minis%8 != 0 {
		return d, nil, errDelta
	}
	if total > uint64(count) {
		return d, nil, fmt.Errorf("%d numbers in a page of %d values", total, count)
	}
	d = deltas{data: data[n:], narrow: narrow, left: int(total), last: last, first: true, miniBlock: int(size / minis), minis: int(minis)}
	rest, err = d.end()
	return d, rest, err
}

// end walks over the blocks and returns what follows them.
func (d *deltas) end() ([]byte, error) {
	data := d.data
	for left := d.left - 1; left > 0; {
		_, n := binary.Varint(data)
		if n <= 0 || len(data)-n < d.minis {
			return nil, errEnds
		}
		widths := data[n : n+d.minis]
		data = data[n+d.minis:]
		for _, width := range widths {
			if left <= 0 {
				break
			}
			size := int(width) * d.miniBlock / 8
			if width > 64 {
				return nil, fmt.Errorf("differences of %d bits", width)
			}
			left -= d.miniBlock
			if size > len(data) {
				if left > 0 {
					return nil, errEnds
				}
				size = len(data) // some writers leave out what follows the last number
			}
			data = data[size:]
		}
	}
	return data, nil
}

func (d *deltas) next() (int64, error) {
	if d.left == 0 {
		return 0, errEnds
	}
	d.left--
	if d.first {
		d.first = false
		return d.last, nil
	}
	if d.count == 0 {
		if err := d.nextMiniBlock(); err != nil {
			return 0, err
		}
	}
	width := uint(d.widths[0])
	d.last += d.base + int64(bits(d.packed, uint(d.at), width))
	if d.narrow {
		d.last = int64(int32(d.last))
	}
	d.at += int(width)
	if d.count--; d.count == 0 {
		d.widths = d.widths[1:]
	}
	return d.last, nil
}

// nextMiniBlock is for blocks that end has walked over.
func (d *deltas) nextMiniBlock() error {
	if len(d.widths) == 0 {
		base, n := binary.Varint(d.data)
		if n <= 0 || len(d.data)-n < d.minis {
			return errEnds
		}
		d.base, d.widths, d.data = base, d.data[n:n+d.minis], d.data[n+d.minis:]
	}
	size := min(int(d.widths[0])*d.miniBlock/8, len(d.data))
	d.packed, d.at, d.data, d.count = d.data[:size], 0, d.data[size:], d.miniBlock
	return nil
}

type deltaInts struct{ deltas }

func (v *deltaInts) next() (table.Cell, error) {
	n, err := v.deltas.next()
	return table.Number(float64(n)), err
}

// deltaLengths are texts whose lengths stand before all of them.
type deltaLengths struct {
	lengths deltas
	data    []byte
}

func newDeltaLengths(data []byte, count int) (*deltaLengths, error) {
	lengths, rest, err := newDeltas(data, true, count)
	return &deltaLengths{lengths, rest}, err
}

// bytes returns those of the next text, where they lie in the page.
func (v *deltaLengths) bytes() ([]byte, error) {
	n, err := v.lengths.next()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(v.data)) {
		return nil, fmt.Errorf("a text of %d bytes where %d are left", n, len(v.data))
	}
	text := v.data[:n]
	v.data = v.data[n:]
	return text, nil
}

func (v *deltaLengths) next() (table.Cell, error) {
	b, err := v.bytes()
	return table.Text(string(b)), err
}

// deltaByteArrays are texts of which each begins as the one before it does.
type deltaByteArrays struct {
	prefixes deltas
	suffixes *deltaLengths
	last     string
}

func newDeltaByteArrays(data []byte, count int) (*deltaByteArrays, error) {
	prefixes, rest, err := newDeltas(data, true, count)
	if err != nil {
		return nil, err
	}
	suffixes, err := newDeltaLengths(rest, count)
	return &deltaByteArrays{prefixes: prefixes, suffixes: suffixes}, err
}

func (v *deltaByteArrays) next() (table.Cell, error) {
	n, err := v.prefixes.next()
	if err != nil {
		return table.Cell{}, err
	}
	suffix, err := v.suffixes.bytes()
	if err != nil {
		return table.Cell{}, err
	}
	if n < 0 || n > int64(len(v.last)) || int64(len(suffix)) > math.MaxInt32-n {
		return table.Cell{}, fmt.Errorf("a text that begins as %d bytes of one of %d", n, len(v.last))
	}
	v.last = v.last[:n] + string(suffix)
	return table.Text(v.last), nil
}
