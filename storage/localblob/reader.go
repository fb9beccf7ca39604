package localblob

import (
	"context"
	"io"
	"os"

	"gocloud.dev/blob/driver"
)

// reader reads an open file.
type reader struct {
	file  *os.File
	r     io.Reader
	attrs driver.ReaderAttributes
	state Version
}

func (r *reader) Read(p []byte) (int, error)           { return r.r.Read(p) }
func (r *reader) Close() error                         { return r.file.Close() }
func (r *reader) Attributes() *driver.ReaderAttributes { return &r.attrs }

func (r *reader) As(target any) bool {
	v, ok := target.(*Version)
	if ok {
		*v = r.state
	}
	return ok
}

func (b *bucket) NewRangeReader(_ context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	if o != nil && o.BeforeRead != nil {
		if err := o.BeforeRead(noAs); err != nil {
			return nil, err
		}
	}
	if _, err := b.stat(key); err != nil {
		return nil, err
	}
	f, err := b.root.Open(key)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if length < 0 {
		length = max(fi.Size()-offset, 0)
	}
	return &reader{
		file:  f,
		r:     io.NewSectionReader(f, offset, length),
		attrs: driver.ReaderAttributes{ContentType: "application/octet-stream", ModTime: fi.ModTime(), Size: fi.Size()},
		state: Version(version(fi)),
	}, nil
}
