package storagetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest/gcsfake"
	"github.com/sprint-ml/sprint/storage/storagetest/s3fake"
)

// bucketName is the one bucket of the servers.
const bucketName = "conformance"

// S3Env names the URL of an empty store on a running server, for which the rest
// of the environment holds the credentials; GCSEnv that of an emulator, which
// STORAGE_EMULATOR_HOST names as well.
const (
	S3Env  = "STORAGETEST_S3"
	GCSEnv = "STORAGETEST_GCS"
)

var prefixes atomic.Int64

// S3URL starts an in-memory S3 server for the rest of the test and returns a
// function that gives the URL of a new, empty store each time. around, if not
// nil, wraps the server's handler. The environment holds credentials for it, so
// the test must not be parallel.
//
// With S3Env set and nothing to wrap, the stores are on the server that it names.
func S3URL(t testing.TB, around func(http.Handler) http.Handler) func() string {
	t.Helper()
	if base := os.Getenv(S3Env); base != "" && around == nil {
		return within(t, base)
	}
	server := serve(t, s3fake.New(bucketName), around)
	setenv(t, map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": t.TempDir() + "/none", "AWS_SHARED_CREDENTIALS_FILE": t.TempDir() + "/none",
	})
	return func() string {
		return fmt.Sprintf("s3://%s/p%d?endpoint=%s&use_path_style=true&region=us-east-1", bucketName, prefixes.Add(1), server.URL)
	}
}

// GCSURL is S3URL for Google Cloud Storage, and GCSEnv its S3Env. Each store has
// a bucket of its own there: a list by fake-gcs-server reads a whole bucket.
func GCSURL(t testing.TB, around func(http.Handler) http.Handler) func() string {
	t.Helper()
	if server := os.Getenv(GCSEnv); server != "" && around == nil {
		return func() string { return newBucket(t, server) }
	}
	server := serve(t, gcsfake.New(), around)
	setenv(t, map[string]string{"STORAGE_EMULATOR_HOST": strings.TrimPrefix(server.URL, "http://")})
	return func() string { return fmt.Sprintf("gs://%s/p%d?anonymous=true", bucketName, prefixes.Add(1)) }
}

// within gives the URL of a new store below that of an empty one each time.
func within(t testing.TB, base string) func() string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return func() string { return u.JoinPath(fmt.Sprint("p", prefixes.Add(1))).String() }
}

// newBucket makes a bucket on an emulator of GCS.
func newBucket(t testing.TB, server string) string {
	t.Helper()
	name := fmt.Sprint("bucket", prefixes.Add(1))
	r, err := http.Post(server+"/storage/v1/b?project=test", "application/json", strings.NewReader(`{"name":"`+name+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("bucket %s: %s", name, r.Status)
	}
	return "gs://" + name + "/p?anonymous=true"
}

func serve(t testing.TB, handler http.Handler, around func(http.Handler) http.Handler) *httptest.Server {
	if around != nil {
		handler = around(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func setenv(t testing.TB, values map[string]string) {
	for k, v := range values {
		t.Setenv(k, v)
	}
}

// Unconditional ignores the conditions of requests, as servers do that know
// none; with partsOnly it heeds them on what is sent at once.
func Unconditional(partsOnly bool) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !partsOnly || r.Method == http.MethodPost {
				r.Header.Del("If-None-Match")
				r.Header.Del("If-Match")
			}
			h.ServeHTTP(w, r)
		})
	}
}

// LoseReplies lets the server do its work and then breaks the connection
// without an answer, for every request of which lose says so.
func LoseReplies(lose func(*http.Request) bool) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !lose(r) {
				h.ServeHTTP(w, r)
				return
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	}
}

// DenyAll answers every request with a status, as a server does when rights
// are missing.
func DenyAll(status int) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, http.StatusText(status), status)
		})
	}
}
