package parquet

import (
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// maxNesting caps how deep the values of a Parquet footer nest; the format
// needs less than ten levels.
const maxNesting = 32

// checkMetadata walks the metadata in a Parquet footer without keeping anything of it, because the
// library allocates the lists that it announces before it reads them: no list
// has more elements than there are bytes left.
func checkMetadata(footer []byte) error {
	protocol := thrift.CompactProtocol{}
	in := protocol.NewReaderFromBytes(footer)
	return (&metadataWalk{in, len(footer)}).value(thrift.STRUCT, 0)
}

type metadataWalk struct {
	in   thrift.Reader
	size int
}

func (w *metadataWalk) value(t thrift.Type, depth int) (err error) {
	if depth > maxNesting {
		return errors.New("a footer that nests too deep")
	}
	switch t {
	case thrift.TRUE, thrift.FALSE, thrift.I8:
		_, err = w.in.ReadInt8()
	case thrift.I16:
		_, err = w.in.ReadInt16()
	case thrift.I32:
		_, err = w.in.ReadInt32()
	case thrift.I64:
		_, err = w.in.ReadInt64()
	case thrift.DOUBLE:
		_, err = w.in.ReadFloat64()
	case thrift.BINARY:
		_, err = w.in.ReadBytes()
	case thrift.LIST, thrift.SET:
		l, err := w.in.ReadList()
		if err != nil {
			return err
		}
		return w.values(int(l.Size), depth, l.Type)
	case thrift.MAP:
		m, err := w.in.ReadMap()
		if err != nil {
			return err
		}
		return w.values(int(m.Size), depth, m.Key, m.Value)
	case thrift.STRUCT:
		return w.fields(depth)
	default:
		return fmt.Errorf("a footer with a value of type %d", t)
	}
	return err
}

// values walks n times values of these types.
func (w *metadataWalk) values(n, depth int, types ...thrift.Type) error {
	if left := w.size - w.in.BytesRead(); n < 0 || n > left {
		return fmt.Errorf("a list of %d in a footer of which %d bytes are left", n, left)
	}
	for range n {
		for _, t := range types {
			if err := w.value(t, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *metadataWalk) fields(depth int) error {
	for {
		f, err := w.in.ReadField()
		switch {
		case err != nil:
			return err
		case f.Type == thrift.STOP:
			return nil
		case f.Type == thrift.TRUE || f.Type == thrift.FALSE:
			continue // the type is the value
		}
		if err := w.value(f.Type, depth+1); err != nil {
			return err
		}
	}
}
