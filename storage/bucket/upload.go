package bucket

import (
	"context"
	"errors"
	"io"

	"gocloud.dev/blob"
)

const (
	// blobMedia is the media type of every uploaded object: what the bytes are
	// says the manifest that names them.
	blobMedia = "application/octet-stream"
	// copyBuffer is what one copy holds in memory.
	copyBuffer = 256 << 10
	// partsInFlight bounds the parts that all uploads of a bucket send at once.
	partsInFlight = 16
	// FilesInFlight is how many files a caller may move at once: a remote bucket
	// keeps as many connections for the next ones.
	FilesInFlight = 64
)

// partSize parts an upload into about 64 parts of 16 to 64 MiB, and at most
// the 10,000 that S3 takes.
func partSize(size int64) int64 {
	part := max(min(max(size/64, 16<<20), 64<<20), size/10_000+1)
	return (part + granule - 1) / granule * granule
}

// Upload stores a content under key, in place of what is there. The error is
// ErrStale if the bytes are not those that were scanned.
func (b *Bucket) Upload(ctx context.Context, key string, c *Content) error {
	return b.try(ctx, "put", key, func() error { return b.send(ctx, key, c) })
}

// send uploads a content once.
func (b *Bucket) send(ctx context.Context, key string, c *Content) error {
	send := b.stream
	if b.bulk != nil {
		send = b.bulk.put
	}
	err := wrap("put", key, send(ctx, key, c))
	if errors.Is(err, ErrNotFound) {
		// What a server does not know any more is the upload: it starts again.
		err = &Error{Op: "put", Key: key, Class: ErrTransient, Err: errors.New("the upload was lost: " + err.Error())}
	}
	return err
}

// stream uploads a content through the driver's writer.
func (b *Bucket) stream(ctx context.Context, key string, c *Content) error {
	// A cancelled context makes Close discard the object.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := &blob.WriterOptions{ContentType: blobMedia, BufferSize: granule}
	if c.Size <= granule {
		o.BufferSize = -1 // no buffer: Upload sends it again if need be
	}
	w, err := b.blobs.NewWriter(ctx, key, o)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, c.all(), make([]byte, min(c.Size+1, copyBuffer))); err != nil {
		cancel()
		_ = w.Close()
		return err
	}
	return w.Close()
}
