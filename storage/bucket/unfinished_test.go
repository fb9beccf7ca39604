package bucket_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/sprint-ml/sprint/storage/bucket"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestSweepUploads: uploads in parts that nobody finished are counted and
// dropped once they are old enough; those of others in the bucket stay.
func TestSweepUploads(t *testing.T) {
	raw := storagetest.S3URL(t, nil)()
	s, err := bucket.Open(t.Context(), raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(u.Query().Get("endpoint")), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	prefix := strings.Trim(u.Path, "/") + "/"
	for _, key := range []string{prefix + "blobs/sha256/ab/abcdef", prefix + "models/toy/1/files/model", prefix + "theirs/x", "elsewhere/blobs/x"} {
		made, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(u.Host), Key: aws.String(key)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: made.Bucket, Key: made.Key, UploadId: made.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(make([]byte, 1000)),
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		what string
		age  time.Duration
		dry  bool
		want int
	}{{"young", time.Hour, false, 0}, {"dry", -time.Minute, true, 2}, {"dropped", -time.Minute, false, 2}, {"gone", -time.Minute, false, 0}} {
		n, size, err := s.SweepUnfinished(t.Context(), []string{"blobs/", "models/"}, c.age, c.dry)
		if err != nil || n != c.want || size != int64(1000*c.want) {
			t.Errorf("%s: %d uploads of %d bytes, %v; want %d", c.what, n, size, err, c.want)
		}
	}
	left, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(u.Host)})
	if err != nil || len(left.Uploads) != 2 {
		t.Errorf("%d uploads are left, %v; want the 2 of others", len(left.Uploads), err)
	}
}
