package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
	"golang.org/x/sync/errgroup"
)

func openS3(ctx context.Context, u *url.URL) (opened, error) {
	opener := &s3blob.URLOpener{}
	bucket, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return opened{}, err
	}
	var client *s3.Client
	if !bucket.As(&client) {
		return opened{}, errors.New("storage: the bucket is not an S3 one")
	}
	// The opener offers no way to set the retries and the transport before it
	// builds the client, but leaves in its Options what the URL said of the
	// bucket.
	var all *conns
	client = s3.New(client.Options(), func(o *s3.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = clientTries, clientBackoff
			o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				if all != nil && all.astray(err) {
					return aws.FalseTernary // Store.try asks again, for a server that is just starting
				}
				return aws.UnknownTernary
			})}, o.Retryables...)
		})
		o.Logger = logging.Nop{}
		if !u.Query().Has("response_checksum_validation") {
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // what is read is hashed here
		}
		if c, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			o.HTTPClient = c.WithTransportOptions(func(t *http.Transport) { all = tune(t) })
		}
	})
	bucket, err = s3blob.OpenBucket(ctx, client, u.Host, &opener.Options)
	if err != nil {
		return opened{}, err
	}
	m := &s3Mover{
		client: client, bucket: u.Host, prefix: keyPrefix(u), copyAtOnce: copyAtOnce,
		encryption: opener.Options.EncryptionType, kmsKey: opener.Options.KMSEncryptionID,
		parts: make(chan struct{}, partsInFlight),
	}
	if client.Options().RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired {
		m.checksum = types.ChecksumAlgorithmCrc32
	}
	return opened{bucket, m, all}, nil
}

// s3Mover stores blobs without gocloud's writer, which would hold every part
// in memory: its parts are sections of a file that all requests read. And it
// copies what is too big for the one request of gocloud's copy.
type s3Mover struct {
	client         *s3.Client
	bucket, prefix string
	copyAtOnce     int64
	encryption     types.ServerSideEncryption
	kmsKey         string
	checksum       types.ChecksumAlgorithm // of each part, which the server checks; none for servers that know none
	parts          chan struct{}           // one element for each part in flight
}

func (m *s3Mover) put(ctx context.Context, key string, c *content) error {
	size := partSize(c.size)
	if c.size <= size {
		data, err := body(c)
		if err != nil {
			return err
		}
		in := &s3.PutObjectInput{
			Bucket: aws.String(m.bucket), Key: aws.String(m.prefix + key), Body: data, ContentLength: aws.Int64(c.size),
			ContentType: aws.String(blobMedia), ServerSideEncryption: m.encryption,
		}
		if m.kmsKey != "" {
			in.SSEKMSKeyId = aws.String(m.kmsKey)
		}
		_, err = m.client.PutObject(ctx, in)
		return err
	}
	return m.inParts(ctx, key, c.size, size, m.checksum, func(ctx context.Context, p s3Part) (types.CompletedPart, error) {
		out, err := m.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: p.of.Bucket, Key: p.of.Key, UploadId: p.of.UploadId, PartNumber: p.number,
			Body: c.section(p.from, p.size), ContentLength: aws.Int64(p.size), ChecksumAlgorithm: m.checksum,
		})
		if err != nil {
			return types.CompletedPart{}, err
		}
		return types.CompletedPart{PartNumber: p.number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}, nil
	})
}

// body returns the bytes of one request. The client reads them once for each of
// two checksums before it sends them: small ones come from memory.
func body(c *content) (io.ReadSeeker, error) {
	if c.size > bodyInMemory {
		return c.all(), nil
	}
	data := make([]byte, c.size)
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
func (m *s3Mover) copy(ctx context.Context, to, from string, size int64) error {
	source := aws.String(strings.ReplaceAll(url.QueryEscape(m.bucket+"/"+m.prefix+from), "+", "%20"))
	if size <= m.copyAtOnce {
		in := &s3.CopyObjectInput{
			Bucket: aws.String(m.bucket), Key: aws.String(m.prefix + to), CopySource: source, ServerSideEncryption: m.encryption,
		}
		if m.kmsKey != "" {
			in.SSEKMSKeyId = aws.String(m.kmsKey)
		}
		_, err := m.client.CopyObject(ctx, in)
		return err
	}
	part := max(min(copyPart, m.copyAtOnce), size/10_000+1)
	return m.inParts(ctx, to, size, part, "", func(ctx context.Context, p s3Part) (types.CompletedPart, error) {
		out, err := m.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
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
func (m *s3Mover) inParts(ctx context.Context, key string, size, part int64, checksum types.ChecksumAlgorithm, send func(context.Context, s3Part) (types.CompletedPart, error)) error {
	create := &s3.CreateMultipartUploadInput{
		Bucket: aws.String(m.bucket), Key: aws.String(m.prefix + key),
		ContentType: aws.String(blobMedia), ServerSideEncryption: m.encryption, ChecksumAlgorithm: checksum,
	}
	if m.kmsKey != "" {
		create.SSEKMSKeyId = aws.String(m.kmsKey)
	}
	made, err := m.client.CreateMultipartUpload(ctx, create)
	if err != nil {
		return err
	}
	if err := m.join(ctx, made, size, part, send); err != nil {
		// The parts cost space until they are dropped. What cannot be dropped
		// now is left to the bucket's own rules.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_, _ = m.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: made.Bucket, Key: made.Key, UploadId: made.UploadId})
		return err
	}
	return nil
}

// join sends all parts and joins them.
func (m *s3Mover) join(ctx context.Context, made *s3.CreateMultipartUploadOutput, size, part int64, send func(context.Context, s3Part) (types.CompletedPart, error)) error {
	parts := make([]types.CompletedPart, (size+part-1)/part)
	group, sending := errgroup.WithContext(ctx)
	for i := range parts {
		free := false
		select {
		case m.parts <- struct{}{}:
			free = true
		case <-sending.Done():
		}
		if !free {
			break
		}
		group.Go(func() (err error) {
			defer func() { <-m.parts }()
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
	_, err := m.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: made.Bucket, Key: made.Key, UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return err
	}
	// Some servers answer a repeated request with success while the first one
	// still joins the parts, or after it died over them.
	there, err := m.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: made.Bucket, Key: made.Key})
	if err == nil && aws.ToInt64(there.ContentLength) != size {
		err = fmt.Errorf("the object has %d bytes after its upload, not %d", aws.ToInt64(there.ContentLength), size)
	}
	return err
}

func s3Version(r *blob.Reader) string {
	var out s3.GetObjectOutput
	if r.As(&out) {
		return aws.ToString(out.ETag)
	}
	return ""
}

func s3Condition(as func(any) bool, version string) error {
	var in *transfermanager.UploadObjectInput
	if !as(&in) {
		return errors.New("storage: the bucket is not an S3 one")
	}
	in.IfMatch = aws.String(version)
	return nil
}
