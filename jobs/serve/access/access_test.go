package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// asked is a request with a token.
func asked(token string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// TestTokensRotate: tokens are added and taken away while the server lives; what cannot be
// read lets nobody in, and no message shows a token.
func TestTokensRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		now, err := []string{"first-of-the-tokens", " second-of-the-tokens\r"}, error(nil)
		tokens, bad := NewTokens(func() ([]string, error) { return now, err }, slog.New(slog.NewTextHandler(&log, nil)))
		if bad != nil {
			t.Fatal(bad)
		}
		admits := func(want map[string]bool) {
			t.Helper()
			for token, in := range want {
				if tokens.Admits(asked(token)) != in {
					t.Errorf("%s is let in: %v", token, !in)
				}
			}
		}
		admits(map[string]bool{"first-of-the-tokens": true, "second-of-the-tokens": true, "third-of-the-tokens": false, "": false})
		now = []string{"second-of-the-tokens", "third-of-the-tokens"}
		time.Sleep(tokenAge)
		admits(map[string]bool{"first-of-the-tokens": false, "second-of-the-tokens": true, "third-of-the-tokens": true})
		now, err = nil, errors.New("no such file")
		time.Sleep(tokenAge)
		admits(map[string]bool{"first-of-the-tokens": false, "second-of-the-tokens": false, "third-of-the-tokens": false, "": false})
		now, err = []string{"\n"}, nil
		time.Sleep(tokenAge)
		admits(map[string]bool{"": false, "\n": false})
		now = []string{"third-of-the-tokens", "short"}
		time.Sleep(tokenAge)
		admits(map[string]bool{"third-of-the-tokens": false, "short": false})
		now = []string{"fourth-of-the-tokens"}
		time.Sleep(tokenAge)
		admits(map[string]bool{"fourth-of-the-tokens": true})
		for _, token := range []string{"first-of-the-tokens", "second-of-the-tokens", "third-of-the-tokens", "short", "fourth-of-the-tokens"} {
			if strings.Contains(log.String(), token) {
				t.Errorf("the log shows a token: %s", log.String())
			}
		}
		if n := strings.Count(log.String(), "nobody is let in"); n != 3 {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
		for _, none := range [][]string{nil, {""}, make([]string, 3), strings.Split(strings.Repeat("a-token-that-is-long ", maxTokens)+"a-token-that-is-long", " "), {"first-of-the-tokens", "", "15 characters-x"}} {
			if _, err := NewTokens(func() ([]string, error) { return none, nil }, nil); err == nil {
				t.Errorf("%d tokens are taken", len(none))
			}
		}
	})
}

// certificate writes a certificate of a name and its key.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestCertificateIsReadAgain: a new certificate is shown to the next client, and one that
// cannot be used leaves the one before.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, "first")
	c, err := NewCertificate(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	shown := func() string {
		c.mu.Lock()
		c.checked = time.Time{} // as if a second had passed
		c.mu.Unlock()
		got, err := c.Config().GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := x509.ParseCertificate(got.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return x.Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Error(got)
	}
	if err := os.WriteFile(cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := shown(); got != "first" {
		t.Errorf("with half a file: %s", got)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if got := shown(); got != "first" {
		t.Errorf("without a key: %s", got)
	}
	certificate(t, dir, "second")
	if got := shown(); got != "second" {
		t.Errorf("after a new one: %s", got)
	}
	if _, err := NewCertificate(key, cert, nil); err == nil {
		t.Error("a key is taken for a certificate")
	}
}

// TestLog: a line has the request and no text unless it is asked for; probes that went well
// have none.
func TestLog(t *testing.T) {
	for _, c := range []struct {
		path   string
		status int
		texts  bool
		want   string
	}{
		{"/v1/classify", 200, false, `"status":200,"seconds":0,"client":"192.0.2.1:1234","bytes":5,"texts":1,"model":"news@3","source":"model","queue_seconds":0.5}`},
		{"/v1/classify", 429, true, `"queue_seconds":0.5,"error":"full","titles":["A secret\n{}"]}`},
		{"/healthz", 200, false, ""},
		{"/healthz", 503, false, `"status":503`},
	} {
		var out bytes.Buffer
		drop := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == "seconds" {
				return slog.Int("seconds", 0)
			}
			return a
		}
		l := &Log{To: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: drop})), Texts: c.texts, Quiet: map[string]bool{"/healthz": true}}
		h := l.Around(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e := EntryOf(r.Context())
			if strings.HasPrefix(r.URL.Path, "/v1") {
				*e = Entry{Model: "news@3", Source: "model", Texts: 1, Waited: time.Second / 2, Titles: []string{"A secret\n{}"}}
			}
			if c.status == 429 {
				e.Error = "full"
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte("hello"))
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", c.path+"?token=secret", nil))
		line := out.String()
		if (c.want == "") != (line == "") || !strings.Contains(line, c.want) || !c.texts && strings.Contains(line, "secret") || strings.Contains(line, "token=") {
			t.Errorf("%s %d: %s", c.path, c.status, line)
		}
		if line != "" && !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}
