package gcsblob

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob/driver"
	"golang.org/x/oauth2/google"
)

// Signer is a service account whose key is at hand.
type Signer struct {
	email string
	key   *rsa.PrivateKey
}

// SignerOf is the service account of a credentials file; nil where the file holds no
// key of one: other credentials cannot sign.
func SignerOf(credentials []byte) (*Signer, error) {
	account, err := google.JWTConfigFromJSON(credentials)
	if err != nil {
		return nil, nil //nolint:nilerr // other kinds of credentials are no mistake
	}
	return NewSigner(account.Email, string(account.PrivateKey))
}

// NewSigner reads the key of a service account as its file holds it.
func NewSigner(email, privateKey string) (*Signer, error) {
	block, _ := pem.Decode([]byte(privateKey))
	if block == nil {
		return nil, errors.New("gcsblob: the service account's private key is not in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return nil, errors.New("gcsblob: the service account's private key cannot be read")
		}
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("gcsblob: the service account's private key is not one of RSA")
	}
	return &Signer{email, key}, nil
}

// maxValid is the server's own limit.
const maxValid = 7 * 24 * time.Hour

// SignedURL signs an address by version 4 of the server's scheme, for reading alone.
// Without a signer there is none.
//
// Reference: https://cloud.google.com/storage/docs/authentication/canonical-requests
func (b *Bucket) SignedURL(_ context.Context, key string, o *driver.SignedURLOptions) (string, error) {
	if b.Signer == nil || o.Method != http.MethodGet {
		return "", errSigned
	}
	if o.Expiry > maxValid {
		return "", fmt.Errorf("gcsblob: an address is valid for at most %s", maxValid)
	}
	at, err := url.Parse(b.endpoint)
	if err != nil {
		return "", err
	}
	now := time.Now().UTC()
	day, moment := now.Format("20060102"), now.Format("20060102T150405Z")
	scope := day + "/auto/storage/goog4_request"
	path := "/" + escapePath(b.name) + "/" + escapePath(key)
	query := strings.ReplaceAll(url.Values{
		"X-Goog-Algorithm":     {"GOOG4-RSA-SHA256"},
		"X-Goog-Credential":    {b.Signer.email + "/" + scope},
		"X-Goog-Date":          {moment},
		"X-Goog-Expires":       {strconv.FormatInt(int64(o.Expiry/time.Second), 10)},
		"X-Goog-SignedHeaders": {"host"},
	}.Encode(), "+", "%20")
	request := strings.Join([]string{http.MethodGet, path, query, "host:" + at.Host, "", "host", "UNSIGNED-PAYLOAD"}, "\n")
	hashed := sha256.Sum256([]byte(request))
	text := sha256.Sum256([]byte(strings.Join([]string{"GOOG4-RSA-SHA256", moment, scope, hex.EncodeToString(hashed[:])}, "\n")))
	signature, err := rsa.SignPKCS1v15(rand.Reader, b.Signer.key, crypto.SHA256, text[:])
	if err != nil {
		return "", err
	}
	return b.endpoint + path + "?" + query + "&X-Goog-Signature=" + hex.EncodeToString(signature), nil
}

// escapePath escapes all of a path but its slashes, as the scheme demands.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return strings.Join(parts, "/")
}
