// Package signaturetest makes keys for tests of what is signed.
package signaturetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// Pair is a new pair of keys that sign releases, each a PEM.
func Pair(t testing.TB) (private, public string) {
	t.Helper()
	return PairOf(t, elliptic.P256())
}

// PairOf is a Pair of another curve.
func PairOf(t testing.TB, curve elliptic.Curve) (private, public string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", secret), block("PUBLIC KEY", shown)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
