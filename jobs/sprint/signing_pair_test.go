package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// publicPEM is the public key of a new pair.
func publicPEM(t *testing.T) string {
	t.Helper()
	_, public := signingPair(t)
	return public
}

// signingPair is a new pair of keys that sign releases, each a PEM.
func signingPair(t *testing.T) (private, public string) {
	t.Helper()
	return pairOf(t, elliptic.P256())
}

// pairOf is a new pair of keys of a curve.
func pairOf(t *testing.T, curve elliptic.Curve) (private, public string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	private = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if der, err = x509.MarshalPKIXPublicKey(&k.PublicKey); err != nil {
		t.Fatal(err)
	}
	return private, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
