package gcsblob

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"gocloud.dev/blob/driver"
)

// reader reads the body of a reply.
type reader struct {
	body       io.ReadCloser
	attrs      driver.ReaderAttributes
	generation Generation
}

func (r *reader) Read(p []byte) (int, error)           { return r.body.Read(p) }
func (r *reader) Close() error                         { return r.body.Close() }
func (r *reader) Attributes() *driver.ReaderAttributes { return &r.attrs }

func (r *reader) As(target any) bool {
	g, ok := target.(*Generation)
	if ok {
		*g = r.generation
	}
	return ok
}

// NewRangeReader implements driver.Bucket. What it reads is as it is stored.
func (b *Bucket) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	if o != nil && o.BeforeRead != nil {
		if err := o.BeforeRead(b.As); err != nil {
			return nil, err
		}
	}
	if key == "" {
		return nil, &Error{Status: http.StatusNotFound, Message: "an object has a key"}
	}
	header := http.Header{}
	switch {
	case length == 0:
		a, err := b.Attributes(ctx, key)
		if err != nil {
			return nil, err
		}
		return &reader{body: http.NoBody, attrs: driver.ReaderAttributes{ContentType: a.ContentType, ModTime: a.ModTime, Size: a.Size}}, nil
	case length > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := b.do(ctx, http.MethodGet, b.objects(key), url.Values{"alt": {"media"}}, header, nil, 0)
	if err != nil {
		return nil, err
	}
	r := &reader{body: resp.Body, generation: Generation(resp.Header.Get("X-Goog-Generation"))}
	r.attrs.ContentType, r.attrs.Size = resp.Header.Get("Content-Type"), resp.ContentLength
	if resp.ContentLength < 0 {
		// Where the server leaves the length open, what it stores has one.
		r.attrs.Size, err = strconv.ParseInt(resp.Header.Get("X-Goog-Stored-Content-Length"), 10, 64)
	}
	if t, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		r.attrs.ModTime = t
	}
	whole := resp.StatusCode != http.StatusPartialContent
	if !whole {
		_, total, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
		r.attrs.Size, err = strconv.ParseInt(total, 10, 64)
	}
	switch {
	case err != nil || r.attrs.Size < 0:
		err = fmt.Errorf("the reply does not say how large %s is", key)
	case whole && offset > 0:
		err = fmt.Errorf("the reply holds %s from its start, not from byte %d", key, offset)
	}
	if err != nil {
		_ = resp.Body.Close() // nothing was read of it
		return nil, err
	}
	if whole && length > 0 {
		r.body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, length), resp.Body}
	}
	return r, nil
}
