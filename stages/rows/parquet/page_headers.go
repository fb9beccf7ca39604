package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

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
