// Package record is the bytes of what a store believes, and says who wrote them.
// It moves none of them; that is package bucket's.
//
//   - record.go: records, which decide races: a header line and a body
//   - document.go: documents, which other programs read too: JSON with a seal
//   - keyring.go: the keys of a store, and the codes by which what their holders
//     wrote is told from what anybody else did
package record

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Object is a record or a document that is whole: its bytes are those that were
// written under its key. Who wrote it says Keyring.Check.
type Object struct {
	Body []byte
	// Signer is the ID of the key that the object says it is signed with; empty
	// if it has no signature.
	Signer string

	key, kind, nonce, mac string
}

// The kinds of objects, as their codes hold them.
const (
	kindRecord   = "sprint/record"
	kindDocument = "sprint/document"
)

// header is the first line of every record. The digest finds a flipped bit and a
// record that lies under the key of another; the nonce tells a writer its own
// record from another one's.
type header struct {
	Sprint int    `json:"sprint"` // format of the header
	SHA256 string `json:"sha256"` // of key, nonce, signer, MAC and body, each but the last ended by a newline
	Nonce  string `json:"nonce"`
	Signer string `json:"key,omitempty"`
	MAC    string `json:"mac,omitempty"`
}

// Formats 2 and 3 are written: 3 is signed, 2 has neither signer nor MAC. In
// format 1, which is still read, the digest was of the body alone.
const (
	formatUnsigned = 2
	formatSigned   = 3
)

// NewNonce returns 32 random hex digits, which name what nobody else has.
func NewNonce() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	return hex.EncodeToString(random[:])
}

// encodeRecord returns the bytes of a record.
func encodeRecord(o Object) []byte {
	h := header{Sprint: formatUnsigned, SHA256: recordDigest(o), Nonce: o.nonce, Signer: o.Signer, MAC: o.mac}
	if o.Signer != "" {
		h.Sprint = formatSigned
	}
	head, _ := json.Marshal(h) // plain strings cannot fail
	return slices.Concat(head, []byte{'\n'}, o.Body)
}

func recordDigest(o Object) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", o.key, o.nonce)
	if o.Signer != "" {
		fmt.Fprintf(h, "%s\n%s\n", o.Signer, o.mac)
	}
	h.Write(o.Body)
	return hex.EncodeToString(h.Sum(nil))
}

// DecodeStrict decodes JSON that has no other fields than into, and nothing behind it.
func DecodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// Decode returns the record under a key. An error says that it is damaged.
func Decode(key string, data []byte) (Object, error) {
	line, body, ok := bytes.Cut(data, []byte{'\n'})
	if !ok {
		return Object{}, errors.New("a record without a header line")
	}
	var h header
	if err := DecodeStrict(line, &h); err != nil {
		return Object{}, fmt.Errorf("header of the record: %w", err)
	}
	o := Object{Body: body, Signer: h.Signer, key: key, kind: kindRecord, nonce: h.Nonce, mac: h.MAC}
	switch h.Sprint {
	case formatUnsigned, formatSigned:
		if want := recordDigest(o); want != h.SHA256 {
			return Object{}, fmt.Errorf("its bytes are not those that were written, or it is the record of another key: its digest is %s, its header says %s", want, h.SHA256)
		}
		if !bytes.Equal(data, encodeRecord(o)) {
			return Object{}, errors.New("its header is not as it was written")
		}
	case 1:
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != h.SHA256 {
			return Object{}, fmt.Errorf("the record's digest is %x, its header says %s", sum, h.SHA256)
		}
		o.Signer, o.mac = "", "" // such a header has none
	default:
		return Object{}, fmt.Errorf("a record of format %d; this sprint reads formats 1 to %d", h.Sprint, formatSigned)
	}
	return o, nil
}
