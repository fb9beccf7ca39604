package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrUntrusted says that an object is whole but that no key of the reader vouches
// for it: anybody who may write to the store can have made it.
var ErrUntrusted = errors.New("not trusted")

// MinKey is the least length of a key in bytes: that of the code that it makes.
const MinKey = sha256.Size

// Keyring is the keys of a store: one signs what is written, and what any of them
// signed is believed. A nil Keyring signs nothing and believes everything. It is
// safe for concurrent use.
type Keyring struct {
	signing key
	all     map[string]key // by ID, the signing one too
}

// key is a secret with its ID, which does not tell it.
type key struct {
	id     string
	secret []byte
}

// NewKeyring returns the keyring that signs with one key and believes further ones
// too: while keys are changed, some still sign with the old one.
func NewKeyring(signing string, accepted ...string) (*Keyring, error) {
	k := &Keyring{all: map[string]key{}}
	for i, secret := range append([]string{signing}, accepted...) {
		if len(secret) < MinKey {
			return nil, fmt.Errorf("a key of a store has at least %d bytes, this one has %d; `openssl rand -hex 32` makes one", MinKey, len(secret))
		}
		one := key{secret: []byte(secret)}
		one.id = hex.EncodeToString(one.code([]byte("sprint/key"))[:8])
		if k.all[one.id] = one; i == 0 {
			k.signing = one
		}
	}
	return k, nil
}

// ID names the key that signs.
func (k *Keyring) ID() string { return k.signing.id }

// code is the HMAC-SHA256 of the parts, each after its length: no two lists of
// parts have the same one.
func (k key) code(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, k.secret)
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	return h.Sum(nil)
}

// codeOf is the code of an object: of what it is, where it lies and what it holds.
func (k key) codeOf(o Object) []byte {
	return k.code([]byte(o.kind), []byte(o.key), []byte(o.nonce), o.Body)
}

// sign gives an object the signature of the keyring's own key.
func (k *Keyring) sign(o Object) Object {
	if k != nil {
		o.Signer = k.signing.id
		o.mac = hex.EncodeToString(k.signing.codeOf(o))
	}
	return o
}

// Encode returns the bytes of a new record under a key, which no other record has.
func (k *Keyring) Encode(key string, body []byte) []byte {
	return encodeRecord(k.sign(Object{Body: body, key: key, kind: kindRecord, nonce: NewNonce()}))
}

// EncodeDocument returns the bytes of a document under a key. Its body is an object
// of at least one field, as json.MarshalIndent writes it with two spaces.
func (k *Keyring) EncodeDocument(key string, body []byte) []byte {
	return encodeDocument(k.sign(Object{Body: body, key: key, kind: kindDocument}))
}

// Sign returns the bytes of an object with the signature of the keyring's own key
// in place of the one it has.
func (k *Keyring) Sign(o Object) []byte {
	if o.kind == kindDocument {
		return k.EncodeDocument(o.key, o.Body)
	}
	return k.Encode(o.key, o.Body)
}

// Standing is what a keyring makes of an object's signature.
type Standing int

// The standings.
const (
	Unsigned Standing = iota // it has none
	Foreign                  // none of the keys made it
	Accepted                 // another key than the signing one did
	Current                  // the signing key did
)

// Standing says whose an object is.
func (k *Keyring) Standing(o Object) Standing {
	if o.Signer == "" {
		return Unsigned
	}
	mac, err := hex.DecodeString(o.mac)
	one, known := k.all[o.Signer]
	switch {
	case err != nil, !known, !hmac.Equal(mac, one.codeOf(o)):
		return Foreign
	case o.Signer == k.signing.id:
		return Current
	}
	return Accepted
}

// Check returns an error if none of the keys vouches for an object: what is wrong
// with its signature.
func (k *Keyring) Check(o Object) error {
	if k == nil {
		return nil
	}
	switch k.Standing(o) {
	case Unsigned:
		return errors.New("it is not signed")
	case Foreign:
		if _, known := k.all[o.Signer]; known {
			return fmt.Errorf("its signature is none that key %s made for this place: it was forged, or moved here", o.Signer)
		}
		return fmt.Errorf("it is signed with key %s, which is none of this runner's", o.Signer)
	}
	return nil
}
