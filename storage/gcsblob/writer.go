package gcsblob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"

	"gocloud.dev/blob/driver"
)

// writer collects an object, whose size is not known before its end, in memory
// and sends it on Close. What is too big for that is stored by Put.
type writer struct {
	bytes.Buffer
	b     *Bucket
	ctx   context.Context
	meta  object
	query url.Values
}

// NewTypedWriter starts an object. Metadata are not kept: a store has none.
func (b *Bucket) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	if key == "" {
		return nil, errors.New("gcsblob: an object needs a key")
	}
	w := &writer{b: b, ctx: ctx, meta: object{Name: key, ContentType: contentType}, query: url.Values{}}
	if o.IfNotExist {
		w.query.Set("ifGenerationMatch", "0")
	}
	if o.BeforeWrite == nil {
		return w, nil
	}
	var c *Condition
	err := o.BeforeWrite(func(target any) bool {
		into, ok := target.(**Condition)
		if ok {
			c = &Condition{}
			*into = c
		}
		return ok
	})
	if c != nil {
		w.query.Set("ifGenerationMatch", string(c.Generation))
	}
	return w, err
}

// Close makes the object appear, unless the context was cancelled.
func (w *writer) Close() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	data := w.Bytes()
	return w.b.put(w.ctx, w.meta, w.query, int64(len(data)), func(offset int64) (io.Reader, error) {
		return bytes.NewReader(data[offset:]), nil
	})
}
