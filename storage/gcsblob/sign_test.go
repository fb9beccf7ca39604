package gcsblob_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage/gcsblob"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// TestSignedURL: an address is signed over what the server signs it over, by the
// service account's key, for an object's name with characters that are escaped.
func TestSignedURL(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	d := gcsblob.New(http.DefaultClient, "https://storage.googleapis.com", "bucket")
	b := blob.NewBucket(d)
	defer b.Close()
	options := &blob.SignedURLOptions{Expiry: time.Hour}
	if _, err := b.SignedURL(t.Context(), "a", options); gcerrors.Code(err) != gcerrors.Unimplemented {
		t.Errorf("without a key: %v", err)
	}
	if _, err := gcsblob.NewSigner("me@project", "no key"); err == nil {
		t.Error("a key that is none is taken")
	}
	if d.Signer, err = gcsblob.NewSigner("me@project", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))); err != nil {
		t.Fatal(err)
	}
	address, err := b.SignedURL(t.Context(), "a/b c+d", options)
	if err != nil {
		t.Fatal(err)
	}
	rest, signature, _ := strings.Cut(strings.TrimPrefix(address, "https://storage.googleapis.com"), "&X-Goog-Signature=")
	path, query, _ := strings.Cut(rest, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	scope := strings.TrimPrefix(q.Get("X-Goog-Credential"), "me@project/")
	if path != "/bucket/a/b%20c%2Bd" || q.Get("X-Goog-Expires") != "3600" || scope != q.Get("X-Goog-Date")[:8]+"/auto/storage/goog4_request" {
		t.Errorf("%s", address)
	}
	request := sha256.Sum256([]byte("GET\n" + path + "\n" + query + "\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD"))
	text := sha256.Sum256(fmt.Appendf(nil, "GOOG4-RSA-SHA256\n%s\n%s\n%x", q.Get("X-Goog-Date"), scope, request))
	raw, err := hex.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, text[:], raw); err != nil {
		t.Error(err)
	}
	if _, err := b.SignedURL(t.Context(), "a", &blob.SignedURLOptions{Expiry: 8 * 24 * time.Hour}); err == nil {
		t.Error("an address for longer than the server takes it is signed")
	}
}
