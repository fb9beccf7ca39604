package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
	client = s3.New(client.Options(), func(o *s3.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = clientTries, clientBackoff
		})
		o.Logger = logging.Nop{}
		if !u.Query().Has("response_checksum_validation") {
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // what is read is hashed here
		}
		if c, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			o.HTTPClient = c.WithTransportOptions(func(t *http.Transport) { tune(t) })
		}
	})
	bucket, err = s3blob.OpenBucket(ctx, client, u.Host, &opener.Options)
	if err != nil {
		return opened{}, err
	}
	up := &s3Upload{
		client: client, bucket: u.Host, prefix: keyPrefix(u),
		encryption: opener.Options.EncryptionType, kmsKey: opener.Options.KMSEncryptionID,
		parts: make(chan struct{}, partsInFlight),
	}
	if client.Options().RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired {
		up.checksum = types.ChecksumAlgorithmCrc32
	}
	return opened{bucket, up.put}, nil
}

// s3Upload stores blobs without gocloud's writer, which would hold every part
// in memory. Its parts are sections of a file that all requests read.
type s3Upload struct {
	client         *s3.Client
	bucket, prefix string
	encryption     types.ServerSideEncryption
	kmsKey         string
	checksum       types.ChecksumAlgorithm // of each part, which the server checks; none for servers that know none
	parts          chan struct{}           // one element for each part in flight
}

func (u *s3Upload) put(ctx context.Context, key string, c *content) error {
	size := partSize(c.size)
	if c.size <= size {
		in := &s3.PutObjectInput{
			Bucket: aws.String(u.bucket), Key: aws.String(u.prefix + key), Body: c.all(), ContentLength: aws.Int64(c.size),
			ContentType: aws.String(blobMedia), ServerSideEncryption: u.encryption,
		}
		if u.kmsKey != "" {
			in.SSEKMSKeyId = aws.String(u.kmsKey)
		}
		_, err := u.client.PutObject(ctx, in)
		return err
	}
	create := &s3.CreateMultipartUploadInput{
		Bucket: aws.String(u.bucket), Key: aws.String(u.prefix + key),
		ContentType: aws.String(blobMedia), ServerSideEncryption: u.encryption, ChecksumAlgorithm: u.checksum,
	}
	if u.kmsKey != "" {
		create.SSEKMSKeyId = aws.String(u.kmsKey)
	}
	made, err := u.client.CreateMultipartUpload(ctx, create)
	if err != nil {
		return err
	}
	if err := u.multipart(ctx, made, c, size); err != nil {
		// The parts cost space until they are dropped. What cannot be dropped
		// now is left to the bucket's own rules.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_, _ = u.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: made.Bucket, Key: made.Key, UploadId: made.UploadId})
		return err
	}
	return nil
}

// multipart sends all parts and joins them.
func (u *s3Upload) multipart(ctx context.Context, made *s3.CreateMultipartUploadOutput, c *content, size int64) error {
	parts := make([]types.CompletedPart, (c.size+size-1)/size)
	group, sending := errgroup.WithContext(ctx)
	for i := range parts {
		select {
		case u.parts <- struct{}{}:
		case <-sending.Done():
		}
		if sending.Err() != nil {
			break
		}
		group.Go(func() error {
			defer func() { <-u.parts }()
			from := int64(i) * size
			n := min(size, c.size-from)
			number := aws.Int32(int32(i + 1))
			out, err := u.client.UploadPart(sending, &s3.UploadPartInput{
				Bucket: made.Bucket, Key: made.Key, UploadId: made.UploadId,
				PartNumber: number, Body: c.section(from, n), ContentLength: aws.Int64(n), ChecksumAlgorithm: u.checksum,
			})
			if err != nil {
				return fmt.Errorf("part %d of %d: %w", i+1, len(parts), err)
			}
			parts[i] = types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err := u.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: made.Bucket, Key: made.Key, UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return err
	}
	// Some servers answer a repeated request with success while the first one
	// still joins the parts, or after it died over them.
	there, err := u.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: made.Bucket, Key: made.Key})
	if err == nil && aws.ToInt64(there.ContentLength) != c.size {
		err = fmt.Errorf("the object has %d bytes after its upload, not %d", aws.ToInt64(there.ContentLength), c.size)
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
