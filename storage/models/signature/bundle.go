package signature

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sprint-ml/sprint/storage/record"
)

// maxBundle caps a bundle: a release of 100,000 files has one of 30 MB.
const maxBundle = 32 << 20

// What stands in bundles of this format.
const (
	mediaType     = "application/vnd.dev.sigstore.bundle.v0.3+json"
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
)

// mediaTypes are those that are read: Sigstore's bundle of any version, as it was spelt.
var mediaTypes = []string{
	mediaType, "application/vnd.dev.sigstore.bundle+json;version=0.3",
	"application/vnd.dev.sigstore.bundle+json;version=0.2", "application/vnd.dev.sigstore.bundle+json;version=0.1",
}

type bundle struct {
	MediaType string   `json:"mediaType"`
	Material  material `json:"verificationMaterial"`
	Envelope  envelope `json:"dsseEnvelope"`
}

// material says which key signed. Certificates are read to be refused by name.
type material struct {
	PublicKey   *publicKey      `json:"publicKey,omitempty"`
	Chain       json.RawMessage `json:"x509CertificateChain,omitempty"`
	Certificate json.RawMessage `json:"certificate,omitempty"`
	Log         []any           `json:"tlogEntries"`
	Timestamps  json.RawMessage `json:"timestampVerificationData,omitempty"`
}

type publicKey struct {
	Hint string `json:"hint,omitempty"`
	// Raw and Details are of bundles before v1.1.0: a PEM, in base64 once more.
	Raw     []byte `json:"rawBytes,omitempty"`
	Details string `json:"keyDetails,omitempty"`
}

// envelope is dsse.Envelope, read strictly.
type envelope struct {
	Payload     string `json:"payload"`
	PayloadType string `json:"payloadType"`
	Signatures  []struct {
		Sig   string  `json:"sig"`
		KeyID *string `json:"keyid,omitempty"` // a hint that nobody signed, and nobody reads
	} `json:"signatures"`
}

// statement is an in-toto statement about one subject.
type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// sign signs a statement that a root digest is the model of a name and that predicate
// holds of it. The same statement and key give the same bytes.
func sign(ctx context.Context, key *PrivateKey, name, root, predicateType string, predicate any) ([]byte, error) {
	body, err := json.Marshal(predicate)
	if err != nil {
		return nil, err
	}
	payload, err := json.MarshalIndent(statement{statementType, []subject{{name, map[string]string{"sha256": root}}}, predicateType, body}, "", "  ")
	if err != nil {
		return nil, err
	}
	s, err := dsse.NewEnvelopeSigner(signer{key})
	if err != nil {
		return nil, err
	}
	e, err := s.SignPayload(ctx, payloadType, payload)
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", key, err)
	}
	return json.Marshal(map[string]any{
		"mediaType":            mediaType,
		"verificationMaterial": material{PublicKey: &publicKey{Hint: key.ID}, Log: []any{}},
		"dsseEnvelope":         e,
	})
}

// open returns the statement of a bundle that a trusted key signed, and the key's ID. Its
// type and its one subject are checked, its predicate is not.
func (t *Trust) open(ctx context.Context, data []byte, predicateType string) (*statement, string, error) {
	b, err := parse(data)
	if err != nil {
		return nil, "", err
	}
	key, err := t.key(b.Material.PublicKey)
	if err != nil {
		return nil, "", err
	}
	v, err := dsse.NewEnvelopeVerifier(verifier{key})
	if err != nil {
		return nil, "", err
	}
	_, payload, err := v.VerifyAndDecode(ctx, &dsse.Envelope{PayloadType: b.Envelope.PayloadType, Payload: b.Envelope.Payload, Signatures: []dsse.Signature{{Sig: b.Envelope.Signatures[0].Sig}}})
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s", ErrForged, key.ID)
	}
	var s statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return nil, "", damaged("its statement: %w", err)
	}
	switch {
	case s.Type != statementType:
		err = damaged("its statement is a %.80q, want %s", s.Type, statementType)
	case s.PredicateType != predicateType:
		err = damaged("it states a %.80q, want %s", s.PredicateType, predicateType)
	case len(s.Subject) != 1 || s.Subject[0].Name == "" || !ValidID(s.Subject[0].Digest["sha256"]):
		err = damaged("it is not about one subject with a name and a sha256")
	case len(s.Predicate) == 0:
		err = damaged("its statement has no predicate")
	}
	return &s, key.ID, err
}

// parse reads a bundle that a key signed. Nothing in it is believed by then.
func parse(data []byte) (*bundle, error) {
	if len(data) > maxBundle {
		return nil, damaged("it has %d bytes, more than %d", len(data), maxBundle)
	}
	var b bundle
	if err := record.DecodeStrict(data, &b); err != nil {
		return nil, damaged("it is no bundle: %w", err)
	}
	m := b.Material
	switch {
	case !slices.Contains(mediaTypes, b.MediaType):
		return nil, damaged("it is a %.80q, want %s", b.MediaType, mediaType)
	case m.Chain != nil || m.Certificate != nil:
		return nil, damaged("it is signed with a certificate, and only keys are checked")
	case m.PublicKey == nil || m.PublicKey.Hint == "" && len(m.PublicKey.Raw) == 0:
		return nil, damaged("it names no key")
	case b.Envelope.PayloadType != payloadType:
		return nil, damaged("it holds a %.80q, want %s", b.Envelope.PayloadType, payloadType)
	case len(b.Envelope.Signatures) != 1:
		return nil, damaged("it has %d signatures, want one", len(b.Envelope.Signatures))
	}
	for _, text := range []string{b.Envelope.Payload, b.Envelope.Signatures[0].Sig} {
		_, plain := base64.StdEncoding.DecodeString(text)
		if _, err := base64.URLEncoding.DecodeString(text); err != nil && plain != nil || text == "" {
			return nil, damaged("its envelope is not in base64")
		}
	}
	return &b, nil
}

// key is the trusted key that a bundle says it is signed by.
func (t *Trust) key(named *publicKey) (*PublicKey, error) {
	id := named.Hint
	if id == "" {
		k, err := ParsePublicKey(named.Raw)
		if err != nil {
			return nil, damaged("its key: %w", err)
		}
		id = k.ID
	}
	i := slices.IndexFunc(t.Keys, func(k *PublicKey) bool { return k.ID == id })
	switch {
	case t.revoked(id):
		return nil, fmt.Errorf("%w: %s", ErrRevoked, id)
	case len(t.Keys) == 0:
		return nil, errors.New("no key is trusted")
	case i < 0:
		return nil, fmt.Errorf("%w: %.64q, trusted is %s", ErrUnknownKey, id, t.ids())
	}
	return t.Keys[i], nil
}
