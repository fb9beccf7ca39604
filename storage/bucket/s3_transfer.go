package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// s3Transfer stores blobs without gocloud's writer, which would hold every part
// in memory: its parts are sections of a file that all requests read. And it
// copies what is too big for the one request of gocloud's copy.
type s3Transfer struct {
	client     *s3.Client
	bucket     *string
	prefix     string
	encryption types.ServerSideEncryption
	kmsKey     *string                 // nil: the bucket's own
	checksum   types.ChecksumAlgorithm // of each part, which the server checks; none for servers that know none
	parts      *semaphore.Weighted     // one for each part in flight
}

// key is the name of a store's object in the bucket.
func (t *s3Transfer) key(key string) *string { return aws.String(t.prefix + key) }

func (t *s3Transfer) put(ctx context.Context, key string, c *Content) error {
	size := partSize(c.Size)
	if c.Size <= size {
		data, err := body(c)
		if err != nil {
			return err
		}
		_, err = t.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: t.bucket, Key: t.key(key), Body: data, ContentLength: aws.Int64(c.Size),
			ContentType: aws.String(blobMedia), ServerSideEncryption: t.encryption, SSEKMSKeyId: t.kmsKey,
		})
		return err
	}
	return t.inParts(ctx, key, c.Size, size, t.checksum, func(ctx context.Context, p s3Part) (types.CompletedPart, error) {
		out, err := t.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: p.of.Bucket, Key: p.of.Key, UploadId: p.of.UploadId, PartNumber: p.number,
			Body: c.section(p.from, p.size), ContentLength: aws.Int64(p.size), ChecksumAlgorithm: t.checksum,
		})
		if err != nil {
			return types.CompletedPart{}, err
		}
		return types.CompletedPart{PartNumber: p.number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}, nil
	})
}

// body returns the bytes of one request. The client reads them once for each of
// two checksums before it sends them: small ones come from memory.
func body(c *Content) (io.ReadSeeker, error) {
	if c.Size > bodyInMemory {
		return c.all(), nil
	}
	data := make([]byte, c.Size)
	if _, err := io.ReadFull(c.all(), data); err != nil {
		return nil, err
	}
	return bytes.NewReader(data), nil
}

// bodyInMemory is the size up to which a request's body is held in memory.
const bodyInMemory = 256 << 10

const (
	// copyAtOnce is the biggest object that S3 copies in one request.
	copyAtOnce = 5 << 30
	// copyPart is the least part of a copy in several.
	copyPart = 256 << 20
)

// copy puts an object of that size under a second key; the server moves the
// bytes.
func (t *s3Transfer) copy(ctx context.Context, to, from string, size int64) error {
	source := aws.String(strings.ReplaceAll(url.QueryEscape(*t.bucket+"/"+t.prefix+from), "+", "%20"))
	if size <= copyAtOnce {
		_, err := t.client.CopyObject(ctx, &s3.CopyObjectInput{
			Bucket: t.bucket, Key: t.key(to), CopySource: source, ServerSideEncryption: t.encryption, SSEKMSKeyId: t.kmsKey,
		})
		return err
	}
	part := max(copyPart, size/10_000+1)
	return t.inParts(ctx, to, size, part, "", func(ctx context.Context, p s3Part) (types.CompletedPart, error) {
		out, err := t.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: p.of.Bucket, Key: p.of.Key, UploadId: p.of.UploadId, PartNumber: p.number,
			CopySource: source, CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", p.from, p.from+p.size-1)),
		})
		if err != nil {
			return types.CompletedPart{}, err
		}
		if out.CopyPartResult == nil {
			return types.CompletedPart{}, errors.New("the server does not say what it copied")
		}
		return types.CompletedPart{PartNumber: p.number, ETag: out.CopyPartResult.ETag, ChecksumCRC32: out.CopyPartResult.ChecksumCRC32}, nil
	})
}

// s3Part is one part of an object that is put together.
type s3Part struct {
	of         *s3.CreateMultipartUploadOutput
	number     *int32
	from, size int64
}

// inParts makes an object of that size of parts that send stores.
func (t *s3Transfer) inParts(ctx context.Context, key string, size, part int64, checksum types.ChecksumAlgorithm, send func(context.Context, s3Part) (types.CompletedPart, error)) error {
	made, err := t.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: t.bucket, Key: t.key(key), ContentType: aws.String(blobMedia), ChecksumAlgorithm: checksum,
		ServerSideEncryption: t.encryption, SSEKMSKeyId: t.kmsKey,
	})
	if err != nil {
		return err
	}
	if err := t.join(ctx, made, size, part, send); err != nil {
		// The parts cost space until they are dropped. What cannot be dropped
		// now is left to the bucket's own rules.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_, _ = t.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: made.Bucket, Key: made.Key, UploadId: made.UploadId})
		return err
	}
	return nil
}

// join sends all parts and joins them.
func (t *s3Transfer) join(ctx context.Context, made *s3.CreateMultipartUploadOutput, size, part int64, send func(context.Context, s3Part) (types.CompletedPart, error)) error {
	parts := make([]types.CompletedPart, (size+part-1)/part)
	group, sending := errgroup.WithContext(ctx)
	for i := range parts {
		if t.parts.Acquire(sending, 1) != nil {
			break // a part failed, or nobody wants them any more
		}
		group.Go(func() (err error) {
			defer t.parts.Release(1)
			from := int64(i) * part
			parts[i], err = send(sending, s3Part{made, aws.Int32(int32(i + 1)), from, min(part, size-from)})
			if err != nil {
				return fmt.Errorf("part %d of %d: %w", i+1, len(parts), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err := t.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: made.Bucket, Key: made.Key, UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return err
	}
	// Some servers answer a repeated request with success while the first one
	// still joins the parts, or after it died over them.
	there, err := t.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: made.Bucket, Key: made.Key})
	if err == nil && aws.ToInt64(there.ContentLength) != size {
		err = fmt.Errorf("the object has %d bytes after its upload, not %d", aws.ToInt64(there.ContentLength), size)
	}
	return err
}
