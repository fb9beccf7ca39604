package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/sprint-ml/sprint/storage/transport"
)

// TestOneRequestPerConnection: a server that would rather speak HTTP/2, as
// Google's do, is spoken to in HTTP/1.1 by a clone of a transport that was used.
func TestOneRequestPerConnection(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	tuned := server.Client().Transport.(*http.Transport).Clone()
	transport.Tune(tuned, 2)
	r, err := (&http.Client{Transport: tuned}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); err != nil || string(text) != "HTTP/1.1" {
		t.Errorf("%s, %v", text, err)
	}
}

// TestFirstContact: S3's client does not insist on a server that was never
// there, but on one that was.
func TestFirstContact(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, `<ListBucketResult><Name>b</Name></ListBucketResult>`)
	}))
	defer server.Close()
	s, err := Open(t.Context(), "s3://b?endpoint="+server.URL+"&use_path_style=true&region=us-east-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var client *s3.Client
	if !s.blobs.As(&client) {
		t.Fatal("no S3 client")
	}
	insists := func(err error) bool { return client.Options().Retryer.IsErrorRetryable(err) }
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	request := func(err error) error { return &url.Error{Op: "Get", URL: server.URL, Err: err} }
	nowhere := &net.DNSError{Err: "no such host", IsNotFound: true}
	if insists(request(refused)) || insists(request(nowhere)) {
		t.Error("a server that was never there is asked again at once")
	}
	if !insists(request(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)})) {
		t.Error("a connection that broke is not tried again")
	}
	for _, err := range s.List(t.Context(), "") {
		t.Fatal(err)
	}
	if !insists(request(refused)) {
		t.Error("a server that was there is not asked again")
	}
}

// TestRefusedToken: credentials that were withdrawn are no matter of trying
// again; a server of tokens that is busy is.
func TestRefusedToken(t *testing.T) {
	asked, status := 0, http.StatusBadRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "adc.json")
	secret, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "a@b", "token_uri": server.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	t.Setenv("STORAGE_EMULATOR_HOST", "")
	s, err := Open(t.Context(), "gs://bucket", &Options{Backoff: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Stat(t.Context(), "key")
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "expired or revoked (invalid_grant)") || asked > 2 {
		t.Errorf("%v, after %d questions", err, asked)
	}
	asked, status = 0, http.StatusServiceUnavailable
	if _, err := s.Stat(t.Context(), "key"); !errors.Is(err, ErrTransient) || asked < 5 {
		t.Errorf("%v, after %d questions", err, asked)
	}
}

// TestUploadURL: the address of an upload opens it to anybody, so that no
// message holds it.
func TestUploadURL(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /upload/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+r.Host+"/session?upload_id=hunter2")
	})
	mux.HandleFunc("/session", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/", http.NotFound)
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL+"/") // also a URL, as Google's own clients take it
	s, err := Open(context.Background(), "gs://bucket", &Options{Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	data, scan := make([]byte, 17<<20), NewScanner()
	_, _ = scan.Write(data) // never fails
	err = s.Upload(t.Context(), "key", scan.Content(bytes.NewReader(data)))
	if !errors.Is(err, ErrTransient) || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "broke") {
		t.Error(err)
	}
}

// TestRedirects: a store's server cannot send a request, with its credentials and its
// object, to another one.
func TestRedirects(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_SESSION_TOKEN", "session")
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
	for _, url := range []string{"s3://b?endpoint=" + server.URL + "&use_path_style=true&region=us-east-1", "gs://b"} {
		b, err := Open(t.Context(), url, &Options{Tries: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.ReadFile(t.Context(), "key", 100); err == nil {
			t.Errorf("%s: read from elsewhere", url)
		}
		if err := b.WriteFile(t.Context(), "key", []byte("object")); err == nil {
			t.Errorf("%s: written to elsewhere", url)
		}
		b.Close()
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("another server was asked %d times", n)
	}
	for _, c := range []struct {
		from, to string
		status   int
		followed bool
	}{
		{"https://h/a", "https://h/b", 307, true},
		{"https://h/a", "https://h/b", 302, false},
		{"https://h/a", "http://h/b", 307, false},
		{"https://h/a", "https://h:1/b", 308, false},
		{"https://b.s3.amazonaws.com/a", "https://b.s3.eu-north-1.amazonaws.com/a", 307, true},
		{"https://b.s3.amazonaws.com/a", "http://b.s3.eu-north-1.amazonaws.com/a", 307, false},
		{"https://h/a", "https://b.s3.amazonaws.com/a", 307, false},
	} {
		from, err := http.NewRequest(http.MethodGet, c.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		to, err := http.NewRequest(http.MethodGet, c.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		to.Response = &http.Response{StatusCode: c.status}
		if err := transport.SameServer(to, []*http.Request{from}); (err == nil) != c.followed {
			t.Errorf("%d from %s to %s: %v", c.status, c.from, c.to, err)
		}
	}
}

// TestUnknownAsker: a server that answers an unknown access key as versitygw does, HEAD by a
// bare 404, is not taken for one whose object is missing. One that knows its asker is
// asked once whether it does.
func TestUnknownAsker(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	var gets atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusNotFound)
		if r.Method != http.MethodGet {
			return
		}
		gets.Add(1)
		code := "NoSuchKey"
		if strings.Contains(r.Header.Get("Authorization"), "stranger") {
			code = "XAdminUserNotFound"
		}
		fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
	}))
	defer server.Close()
	for key, want := range map[string]error{"stranger": ErrDenied, "known": ErrNotFound} {
		t.Setenv("AWS_ACCESS_KEY_ID", key)
		b, err := Open(t.Context(), "s3://b?endpoint="+server.URL+"&use_path_style=true&region=us-east-1", &Options{Tries: 1})
		if err != nil {
			t.Fatal(err)
		}
		gets.Store(0)
		for range 3 {
			if _, err := b.Stat(t.Context(), "key"); !errors.Is(err, want) {
				t.Errorf("%s: %v", key, err)
			}
		}
		if n := gets.Load(); (n == 1) != (key == "known") {
			t.Errorf("%s: asked %d times for a reason", key, n)
		}
		b.Close()
	}
}
