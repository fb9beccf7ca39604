package gcsblob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"strconv"

	"gocloud.dev/blob/driver"
)

// writer collects an object of unknown size. One that fits into a chunk is sent
// by one request on Close, a bigger one chunk by chunk.
type writer struct {
	b     *Bucket
	ctx   context.Context
	meta  object
	query url.Values
	buf   bytes.Buffer
	up    *upload // once the first chunk is full
	sum   hash.Hash32
	err   error
}

// NewTypedWriter starts an object. Metadata are not kept: a store has none.
func (b *Bucket) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	if key == "" {
		return nil, errors.New("gcsblob: an object needs a key")
	}
	w := &writer{b: b, ctx: ctx, meta: object{Name: key, ContentType: contentType}, query: url.Values{}, sum: newSum()}
	if o == nil {
		return w, nil
	}
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
		w.query.Set("ifGenerationMatch", strconv.FormatInt(c.Generation, 10))
	}
	return w, err
}

func (w *writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		// The last chunk is sent by Close, even if it is full.
		if w.buf.Len() == chunk {
			w.err = w.flush(-1)
			continue
		}
		part := p[:min(len(p), chunk-w.buf.Len())]
		_, _ = w.buf.Write(part) // never fails
		n, p = n+len(part), p[len(part):]
	}
	return n, w.err
}

// flush sends the buffer, as the end of the object if its total is not negative.
func (w *writer) flush(total int64) (err error) {
	if w.up == nil {
		if w.up, err = w.b.begin(w.ctx, w.meta, w.query); err != nil {
			return err
		}
	}
	first, data := w.up.sent, w.buf.Bytes()
	err = w.up.retry(total, func() error {
		at := w.up.sent - first
		if at < 0 || at > int64(len(data)) {
			w.up.lost = fmt.Errorf("the server has %d bytes of an upload of which it had %d", w.up.sent, first)
			return w.up.lost
		}
		if at == int64(len(data)) && total < 0 {
			return nil // all came, and the reply was lost
		}
		return w.up.send(newSource(bytes.NewReader(data[at:])), int64(len(data))-at, total)
	})
	_, _ = w.sum.Write(data) // never fails
	w.buf.Reset()
	return err
}

// Close makes the object appear, unless the context was cancelled or a write
// failed.
func (w *writer) Close() error {
	err := errors.Join(w.err, w.ctx.Err())
	switch {
	case err != nil:
	case w.up == nil:
		return w.b.putAtOnce(w.ctx, w.meta, w.query, &w.buf, int64(w.buf.Len()))
	default:
		total := w.up.sent + int64(w.buf.Len())
		if err = w.flush(total); err == nil {
			err = w.up.made.check(total, checksum(w.sum))
		}
	}
	if err != nil && w.up != nil {
		w.up.abandon()
	}
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	return err
}
