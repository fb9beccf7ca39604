package storage

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// upload is one in parts that nobody has finished.
type upload struct {
	key, id string // the key without the store's prefix
	bytes   int64
}

// sweepUploads drops the uploads that began more than age ago.
func (s *Store) sweepUploads(ctx context.Context, m *s3Mover, age time.Duration, dry bool) (n int, bytes int64, err error) {
	var found []upload
	err = s.try(ctx, "list", "unfinished uploads", func() (err error) {
		found, err = m.unfinished(ctx, time.Now().Add(-age))
		return err
	})
	for _, u := range found {
		if err == nil && !dry {
			err = s.try(ctx, "sweep", u.key, func() error { return m.drop(ctx, u) })
		}
		if err != nil {
			break
		}
		n, bytes = n+1, bytes+u.bytes
	}
	return n, bytes, err
}

// unfinished lists the uploads of blobs and of a release's files that began
// before a time. What others do in the bucket is theirs.
func (m *s3Mover) unfinished(ctx context.Context, before time.Time) (out []upload, err error) {
	pages := s3.NewListMultipartUploadsPaginator(m.client, &s3.ListMultipartUploadsInput{Bucket: aws.String(m.bucket), Prefix: aws.String(m.prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if status := httpStatus(err); status == http.StatusNotImplemented || status == http.StatusNotFound {
			return out, nil // a server that does not say, or gofakes3 without any
		}
		if err != nil {
			return nil, err
		}
		for _, found := range page.Uploads {
			key, ours := strings.CutPrefix(aws.ToString(found.Key), m.prefix)
			if !ours || !strings.HasPrefix(key, "blobs/") && !strings.HasPrefix(key, "models/") || !aws.ToTime(found.Initiated).Before(before) {
				continue
			}
			u := upload{key: key, id: aws.ToString(found.UploadId)}
			if u.bytes, err = m.uploaded(ctx, u); err != nil {
				return nil, err
			}
			out = append(out, u)
		}
	}
	return out, nil
}

// uploaded is the size of the parts that an upload has.
func (m *s3Mover) uploaded(ctx context.Context, u upload) (n int64, err error) {
	pages := s3.NewListPartsPaginator(m.client, &s3.ListPartsInput{Bucket: aws.String(m.bucket), Key: aws.String(m.prefix + u.key), UploadId: aws.String(u.id)})
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

func (m *s3Mover) drop(ctx context.Context, u upload) error {
	_, err := m.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(m.bucket), Key: aws.String(m.prefix + u.key), UploadId: aws.String(u.id)})
	if httpStatus(err) == http.StatusNotFound {
		return nil
	}
	return err
}
