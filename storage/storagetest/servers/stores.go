package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucket is the one bucket of each server.
const bucket = "sprint"

// The root credentials of versitygw.
const (
	accessKey = "servers"
	secretKey = "servers-secret"
)

var prefixes atomic.Int64

// server is a running one with the URLs of its stores.
type server struct {
	*process
	folder string // where its objects lie
	// url returns that of a new, empty store as clients at that address see it.
	url func(addr string) string
}

// startS3 starts versitygw over a folder of the test. The environment holds
// its credentials, so the test must not be parallel.
func startS3(t testing.TB) *server {
	t.Helper()
	return startS3With(t)
}

// startS3With is startS3 with more flags.
func startS3With(t testing.TB, flags ...string) *server {
	t.Helper()
	program, folder := program(t, versitygw), t.TempDir()
	setCredentials(t)
	p := run(t, func(addr string) *process {
		return &process{
			argv: slices.Concat([]string{program, "--port", addr, "--health", "/health", "--quiet", "--keep-alive"}, flags, []string{"posix", folder}),
			env:  []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey},
			addr: addr,
		}
	})
	s := &server{p, folder, func(addr string) string { return s3URL(addr, bucket, fmt.Sprintf("p%d", prefixes.Add(1))) }}
	if _, err := s.client(accessKey, secretKey).CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	return s
}

// s3URL is that of a store at a prefix of a bucket.
func s3URL(addr, bucket, prefix string) string {
	return fmt.Sprintf("s3://%s/%s?endpoint=http://%s&use_path_style=true&region=us-east-1", bucket, prefix, addr)
}

// client is one of S3 with these credentials.
func (s *server) client(access, secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String("http://" + s.addr), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(access, secret, ""),
	})
}

// setCredentials puts those of the servers into the environment.
func setCredentials(t testing.TB) {
	none := filepath.Join(t.TempDir(), "none")
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
	} {
		t.Setenv(k, v)
	}
}

// startGCS starts fake-gcs-server over a folder of the test. Clients reach it
// at front, which is the server's own address if empty: it answers only to the
// name that it was told.
func startGCS(t testing.TB, front string) *server {
	t.Helper()
	program, folder := program(t, fakeGCS), t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	p := run(t, func(addr string) *process {
		host, port, _ := strings.Cut(addr, ":")
		public := front
		if public == "" {
			public = addr
		}
		return &process{
			argv: []string{program, "-scheme", "http", "-host", host, "-port", port, "-backend", "filesystem",
				"-filesystem-root", folder, "-public-host", public, "-log-level", "error"},
			addr: addr,
		}
	})
	if front == "" {
		front = p.addr
	}
	t.Setenv("STORAGE_EMULATOR_HOST", front)
	r, err := http.Get("http://" + p.addr + "/storage/v1/b/" + bucket)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("the bucket: %v, %v", r, err)
	}
	r.Body.Close()
	return &server{p, folder, func(string) string { return fmt.Sprintf("gs://%s/p%d?anonymous=true", bucket, prefixes.Add(1)) }}
}
