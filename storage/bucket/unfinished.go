package bucket

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/sprint-ml/sprint/storage/localblob"
)

// upload is one in parts that nobody has finished.
type upload struct {
	key, id string // the key without the bucket's prefix
	bytes   int64
}

// SweepUnfinished removes what writers that died more than age ago left of
// objects they never finished and that no List shows: temporary files, and
// uploads in parts on S3 to keys that begin with one of the prefixes. It returns
// how many and how many bytes that was; with dry it only counts. Buckets that do
// not say count nothing (GCS drops unfinished uploads by itself).
func (b *Bucket) SweepUnfinished(ctx context.Context, prefixes []string, age time.Duration, dry bool) (n int, bytes int64, err error) {
	if t, ok := b.bulk.(*s3Transfer); ok {
		return b.sweepUploads(ctx, t, prefixes, age, dry)
	}
	if b.at.Scheme != "file" {
		return 0, 0, nil
	}
	err = b.retry(ctx, "list", "", func() (err error) {
		n, bytes, err = localblob.SweepTemp(b.at.Path, age, dry)
		return err
	})
	return n, bytes, err
}

// sweepUploads drops the uploads that began more than age ago.
func (b *Bucket) sweepUploads(ctx context.Context, t *s3Transfer, prefixes []string, age time.Duration, dry bool) (n int, bytes int64, err error) {
	var found []upload
	err = b.retry(ctx, "list", "unfinished uploads", func() (err error) {
		found, err = t.unfinished(ctx, prefixes, time.Now().Add(-age))
		return err
	})
	for _, u := range found {
		if err == nil && !dry {
			err = b.try(ctx, "sweep", u.key, func() error { return t.drop(ctx, u) })
		}
		if err != nil {
			break
		}
		n, bytes = n+1, bytes+u.bytes
	}
	return n, bytes, err
}

// unfinished lists the uploads to keys with one of the prefixes that began before
// a time. Others may use the bucket too: their uploads are not listed.
func (t *s3Transfer) unfinished(ctx context.Context, prefixes []string, before time.Time) (out []upload, err error) {
	pages := s3.NewListMultipartUploadsPaginator(t.client, &s3.ListMultipartUploadsInput{Bucket: t.bucket, Prefix: &t.prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if status := httpStatus(err); status == http.StatusNotImplemented || status == http.StatusNotFound {
			return out, nil // a server that does not say, or gofakes3 without any
		}
		if err != nil {
			return nil, err
		}
		for _, found := range page.Uploads {
			key, ours := strings.CutPrefix(aws.ToString(found.Key), t.prefix)
			ours = ours && slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
			if !ours || !aws.ToTime(found.Initiated).Before(before) {
				continue
			}
			u := upload{key: key, id: aws.ToString(found.UploadId)}
			if u.bytes, err = t.uploaded(ctx, u); err != nil {
				return nil, err
			}
			out = append(out, u)
		}
	}
	return out, nil
}

// uploaded is the size of the parts that an upload has.
func (t *s3Transfer) uploaded(ctx context.Context, u upload) (n int64, err error) {
	pages := s3.NewListPartsPaginator(t.client, &s3.ListPartsInput{Bucket: t.bucket, Key: t.key(u.key), UploadId: &u.id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if httpStatus(err) == http.StatusNotFound {
			return n, nil // it was finished or dropped meanwhile
		}
		if err != nil {
			return n, err
		}
		for _, p := range page.Parts {
			n += aws.ToInt64(p.Size)
		}
	}
	return n, nil
}

func (t *s3Transfer) drop(ctx context.Context, u upload) error {
	_, err := t.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: t.bucket, Key: t.key(u.key), UploadId: &u.id})
	if httpStatus(err) == http.StatusNotFound {
		return nil
	}
	return err
}
