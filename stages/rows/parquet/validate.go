package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
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

// maxPage caps what one page of a Parquet file may say that it holds, in bytes;
// writers make pages of about a megabyte.
const maxPage = 64 << 20

// headerWindow is where a page's header is first looked for; one with a least
// and a greatest value may be longer.
const headerWindow = 64 << 10

// checkPages walks the page headers of a Parquet file of that size, because the
// library allocates what they say before it reads: pages lie within their
// column's chunk and are no bigger than maxPage.
//
// Format: https://parquet.apache.org/docs/file-format/
func checkPages(r io.ReaderAt, size int64, file *format.FileMetaData) error {
	left := size
	for _, group := range file.RowGroups {
		for _, column := range group.Columns {
			meta := column.MetaData
			start := meta.DataPageOffset
			if meta.DictionaryPageOffset != 0 {
				start = meta.DictionaryPageOffset
			}
			if start < 0 || meta.TotalCompressedSize < 0 || start > size || meta.TotalCompressedSize > size-start {
				return fmt.Errorf("a column of %d bytes at %d in a file of %d", meta.TotalCompressedSize, start, size)
			}
			// Chunks that shared their bytes would be walked again and again.
			if left -= meta.TotalCompressedSize; left < 0 {
				return fmt.Errorf("columns of more than the file's %d bytes", size)
			}
			if err := checkChunk(io.NewSectionReader(r, start, meta.TotalCompressedSize)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkChunk walks one column's pages. A header that ends in its window is read
// without any allocation that the window does not hold, here and by the library.
func checkChunk(chunk *io.SectionReader) error {
	protocol, window := thrift.CompactProtocol{}, make([]byte, min(chunk.Size(), headerWindow))
	for at := int64(0); at < chunk.Size(); {
		n, err := chunk.ReadAt(window, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		in := protocol.NewReaderFromBytes(window[:n])
		var page format.PageHeader
		if err := thrift.NewDecoder(in).Decode(&page); err != nil {
			if longer := chunk.Size() - at; int64(len(window)) < longer {
				window = make([]byte, min(longer, 8*int64(len(window))))
				continue
			}
			return fmt.Errorf("the page at %d: %w", at, err)
		}
		at += int64(in.BytesRead())
		if n := int64(page.CompressedPageSize); n < 0 || n > chunk.Size()-at {
			return fmt.Errorf("a page of %d bytes where %d are left", n, chunk.Size()-at)
		}
		if n := page.UncompressedPageSize; n < 0 || n > maxPage {
			return fmt.Errorf("a page of %d bytes, more than %d", n, maxPage)
		}
		at += int64(page.CompressedPageSize)
	}
	return nil
}
