package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/sprint-ml/sprint/stages/rows/table"
)

// The encodings of values.
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingRLE             = 3
	encodingDeltaBinary     = 5
	encodingDeltaLength     = 6
	encodingDeltaByteArray  = 7
	encodingDictionary      = 8
	encodingByteStreamSplit = 9
)

var errEnds = errors.New("it has fewer values than it says")

// values yields the values of a page one by one; none is made before it is asked for, so
// that a page costs no more than what is read of it.
type values interface {
	next() (table.Cell, error)
}

// newValues reads the values of a page, count at most.
func newValues(l leaf, encoding int64, data []byte, count int, dictionary []table.Cell) (values, error) {
	switch encoding {
	case encodingPlain:
		switch l.kind {
		case typeBoolean:
			return &booleans{runs{packed: data, width: 1, left: 8 * len(data), bitPacked: true}}, nil
		case typeByteArray:
			return &byteArrays{data}, nil
		}
		return &fixed{data: data, stride: 1, width: l.width(), convert: l.convert()}, nil
	case encodingDictionary, encodingPlainDictionary:
		if len(data) == 0 {
			return &indexes{cells: dictionary}, nil
		}
		indices, err := newRuns(data[1:], uint(data[0]))
		return &indexes{indices, dictionary}, err
	case encodingRLE:
		if l.kind == typeBoolean && len(data) >= 4 {
			indices, err := newRuns(data[4:], 1) // the length before them is that of the rest
			return &booleans{indices}, err
		}
	case encodingDeltaBinary:
		if l.kind == typeInt32 || l.kind == typeInt64 {
			ints, _, err := newDeltas(data, l.kind == typeInt32, count)
			return &deltaInts{ints}, err
		}
	case encodingDeltaLength:
		if l.kind == typeByteArray {
			return newDeltaLengths(data, count)
		}
	case encodingDeltaByteArray:
		if l.kind == typeByteArray || l.kind == typeFixedBytes {
			return newDeltaByteArrays(data, count)
		}
	case encodingByteStreamSplit:
		if width := l.width(); width > 0 && l.kind != typeInt96 && l.kind != typeBoolean {
			n := len(data) / width
			return &fixed{data: data[:n*width], stride: n, width: width, convert: l.convert()}, nil
		}
	}
	return nil, fmt.Errorf("encoding %d of values of type %d", encoding, l.kind)
}

// width is the bytes of a value of a type of fixed width.
func (l leaf) width() int {
	switch l.kind {
	case typeInt32, typeFloat:
		return 4
	case typeInt64, typeDouble:
		return 8
	case typeInt96:
		return 12
	case typeFixedBytes:
		return int(l.length)
	}
	return 0
}

// convert makes a cell of the bytes of a value of fixed width.
func (l leaf) convert() func([]byte) table.Cell {
	switch l.kind {
	case typeInt32:
		return func(b []byte) table.Cell { return table.Number(float64(int32(binary.LittleEndian.Uint32(b)))) }
	case typeInt64:
		return func(b []byte) table.Cell { return table.Number(float64(int64(binary.LittleEndian.Uint64(b)))) }
	case typeFloat:
		return func(b []byte) table.Cell {
			return table.Number(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		}
	case typeDouble:
		return func(b []byte) table.Cell {
			return table.Number(math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	case typeFixedBytes:
		return func(b []byte) table.Cell { return table.Text(string(b)) }
	}
	return func([]byte) table.Cell { return table.Null() }
}

// byteArrays are texts, each after its length.
type byteArrays struct{ data []byte }

func (v *byteArrays) next() (table.Cell, error) {
	if len(v.data) < 4 {
		return table.Cell{}, errEnds
	}
	n := binary.LittleEndian.Uint32(v.data)
	if uint64(n) > uint64(len(v.data)-4) {
		return table.Cell{}, fmt.Errorf("a text of %d bytes where %d are left", n, len(v.data)-4)
	}
	text := string(v.data[4 : 4+n])
	v.data = v.data[4+n:]
	return table.Text(text), nil
}

// fixed are values of a fixed width. Byte i of the next one lies at i times the stride:
// 1, or as many as there are values where the bytes of all are split into streams.
type fixed struct {
	data          []byte
	stride, width int
	done          int
	value         []byte
	convert       func([]byte) table.Cell
}

func (v *fixed) next() (table.Cell, error) {
	if v.stride == 1 {
		if len(v.data) < v.width {
			return table.Cell{}, errEnds
		}
		value := v.data[:v.width]
		v.data = v.data[v.width:]
		return v.convert(value), nil
	}
	if v.done >= v.stride {
		return table.Cell{}, errEnds
	}
	v.value = v.value[:0]
	for i := range v.width {
		v.value = append(v.value, v.data[v.done+i*v.stride])
	}
	v.done++
	return v.convert(v.value), nil
}

// indexes are places in a dictionary.
type indexes struct {
	runs
	cells []table.Cell
}

func (v *indexes) next() (table.Cell, error) {
	i, err := v.runs.next()
	if err != nil {
		return table.Cell{}, err
	}
	if uint64(i) >= uint64(len(v.cells)) {
		return table.Cell{}, fmt.Errorf("value %d of a dictionary of %d", i, len(v.cells))
	}
	return v.cells[i], nil
}

type booleans struct{ runs }

func (v *booleans) next() (table.Cell, error) {
	i, err := v.runs.next()
	return table.Number(float64(i)), err
}

// runs reads the hybrid of repeated and bit-packed numbers that levels and indexes are
// in, one by one.
type runs struct {
	data      []byte // after the current run
	width     uint   // bits of a number
	left      int    // numbers of the current run
	bitPacked bool
	value     uint32 // of a run that repeats it
	packed    []byte // of a run that is bit-packed
	at        uint   // bit
}

func newRuns(data []byte, width uint) (runs, error) {
	if width > 32 {
		return runs{}, fmt.Errorf("numbers of %d bits", width)
	}
	return runs{data: data, width: width}, nil
}

func (r *runs) next() (uint32, error) {
	for r.left == 0 {
		if err := r.nextRun(); err != nil {
			return 0, err
		}
	}
	r.left--
	if !r.bitPacked {
		return r.value, nil
	}
	v := bits(r.packed, r.at, r.width)
	r.at += r.width
	return uint32(v), nil
}

func (r *runs) nextRun() error {
	head, n := binary.Uvarint(r.data)
	if n <= 0 {
		return errEnds
	}
	r.data = r.data[n:]
	count := head >> 1
	if r.bitPacked = head&1 != 0; !r.bitPacked {
		width := int(r.width+7) / 8
		if width > len(r.data) {
			return errEnds
		}
		var value [4]byte
		copy(value[:], r.data[:width])
		r.value, r.data = binary.LittleEndian.Uint32(value[:]), r.data[width:]
		r.left = int(min(count, math.MaxInt32))
		return nil
	}
	// Groups of eight numbers. Some writers leave out what follows the last number.
	size, groups := 0, min(count, math.MaxInt32/8)
	if r.left = 8 * int(groups); r.width > 0 {
		size = min(int(groups)*int(r.width), len(r.data))
		r.left = min(r.left, 8*size/int(r.width))
	}
	r.packed, r.at, r.data = r.data[:size], 0, r.data[size:]
	return nil
}

// bits returns the number of that width, 64 at most, at a bit; bits that are not there
// count as zeros.
func bits(data []byte, at, width uint) uint64 {
	var v uint64
	for done := uint(0); done < width; {
		i := (at + done) / 8
		if i >= uint(len(data)) {
			break
		}
		shift := (at + done) % 8
		v |= uint64(data[i]>>shift) << done
		done += 8 - shift
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}
