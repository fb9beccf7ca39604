package signature

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	_ "crypto/sha256" // the digests of the three curves
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// PublicKey checks signatures.
type PublicKey struct {
	// ID is the SHA-256 of the key's PEM, in hex: what the format calls its hint.
	ID   string
	key  *ecdsa.PublicKey
	hash crypto.Hash
}

// PrivateKey signs. Its text holds no part of the key.
type PrivateKey struct {
	PublicKey
	private *ecdsa.PrivateKey
}

// String names the key by its ID, so that no format can print the key itself.
func (k *PrivateKey) String() string { return "key " + k.ID }

// GoString is String.
func (k *PrivateKey) GoString() string { return k.String() }

var idPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ValidID reports whether a text is the ID of a key.
func ValidID(id string) bool { return idPattern.MatchString(id) }

// hashes are the digests by the bits of a curve, as the format has them.
var hashes = map[int]crypto.Hash{256: crypto.SHA256, 384: crypto.SHA384, 521: crypto.SHA512}

// wanted says which keys the format knows.
const wanted = "want a key of ECDSA P-256, P-384 or P-521"

func newPublicKey(key *ecdsa.PublicKey) (PublicKey, error) {
	hash, ok := hashes[key.Curve.Params().BitSize]
	if !ok {
		return PublicKey{}, fmt.Errorf("a key of the curve %s; %s", key.Curve.Params().Name, wanted)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return PublicKey{}, err
	}
	h := crypto.SHA256.New()
	h.Write(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return PublicKey{ID: hex.EncodeToString(h.Sum(nil)), key: key, hash: hash}, nil
}

// kindOf names what a key is of, RSA or ED25519, by its type's package.
func kindOf(key any) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(fmt.Sprintf("%T", key), "*"), ".")
	return strings.ToUpper(name)
}

// ParsePublicKey reads the PEM of a public key.
func ParsePublicKey(data []byte) (*PublicKey, error) {
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, errors.New("it is no PEM of a public key")
	case block.Type != "PUBLIC KEY":
		return nil, fmt.Errorf("it holds %.40q, want \"PUBLIC KEY\"", block.Type)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("it is no public key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("it is a key of %s; %s", kindOf(parsed), wanted)
	}
	out, err := newPublicKey(key)
	return &out, err
}

// ParsePrivateKey reads the PEM of a private key that is not encrypted. Its errors show
// nothing of what they read.
func ParsePrivateKey(data []byte) (*PrivateKey, error) {
	var parsed any
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("it is no PEM of a private key")
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, errors.New("the private key is encrypted: give it without a password, in a place that only its user reads")
		case block.Type == "EC PARAMETERS": // openssl writes them before the key
			continue
		}
		var err error
		if parsed, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
			if parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
				return nil, errors.New("it is no private key; " + wanted)
			}
		}
		break
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is a key of %s; %s", kindOf(parsed), wanted)
	}
	public, err := newPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{PublicKey: public, private: key}, nil
}

func (k *PublicKey) digest(data []byte) []byte {
	h := k.hash.New()
	h.Write(data)
	return h.Sum(nil)
}

// signer and verifier are keys as the envelope's library takes them.
type signer struct{ *PrivateKey }

// Sign is deterministic, by RFC 6979: one release has one signature by one key.
func (s signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	return s.private.Sign(nil, s.digest(data), s.hash)
}

// KeyID is empty: the format names the key outside the envelope.
func (s signer) KeyID() (string, error) { return "", nil }

type verifier struct{ *PublicKey }

func (v verifier) Verify(_ context.Context, data, sig []byte) error {
	if !ecdsa.VerifyASN1(v.key, v.digest(data), sig) {
		return ErrForged
	}
	return nil
}

func (v verifier) KeyID() (string, error)   { return v.ID, nil }
func (v verifier) Public() crypto.PublicKey { return v.key }
