package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// A document is an indented JSON object, for other programs to read. So that a
// damaged one is found, it ends with a seal in place of the object's end: the
// signature, if it has one, and a digest of the key and of all before it.

const sealStart = ",\n  \"sealed\": true,\n"

var sealPattern = regexp.MustCompile(`^(?:  "key": "([0-9a-f]+)",\n  "mac": "([0-9a-f]*)",\n)?  "sha256": "([0-9a-f]{64})"\n}\n$`)

// encodeDocument returns the bytes of a document. Its body is an object of at least
// one field, as json.MarshalIndent writes it with two spaces.
func encodeDocument(o Object) []byte {
	head := bytes.TrimSuffix(o.Body, []byte("\n}"))
	out := fmt.Appendf(nil, "%s%s", head, sealStart)
	if o.Signer != "" {
		out = fmt.Appendf(out, "  \"key\": \"%s\",\n  \"mac\": \"%s\",\n", o.Signer, o.mac)
	}
	return fmt.Appendf(out, "  \"sha256\": \"%s\"\n}\n", documentDigest(o, head))
}

func documentDigest(o Object, head []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", o.key)
	if o.Signer != "" {
		fmt.Fprintf(h, "%s\n%s\n", o.Signer, o.mac)
	}
	h.Write(head)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// DecodeDocument returns the document under a key, its body without the seal. One
// without a seal is of an older version. An error says that it is damaged.
func DecodeDocument(key string, data []byte) (Object, error) {
	if !json.Valid(data) {
		return Object{}, errors.New("it is not JSON")
	}
	o := Object{key: key, kind: kindDocument}
	i := bytes.LastIndex(data, []byte(sealStart))
	if i < 0 {
		if bytes.Contains(data, []byte("\n  \"sealed\": ")) || bytes.Contains(data, []byte("\n  \"sha256\": ")) {
			return Object{}, errors.New("its seal is broken")
		}
		var body bytes.Buffer
		_ = json.Indent(&body, data, "", "  ") // it is valid
		o.Body = bytes.TrimSpace(body.Bytes())
		return o, nil
	}
	head := data[:i]
	seal := sealPattern.FindSubmatch(data[i+len(sealStart):])
	if seal == nil {
		return Object{}, errors.New("its seal is broken")
	}
	o.Signer, o.mac = string(seal[1]), string(seal[2])
	if documentDigest(o, head) != string(seal[3]) {
		return Object{}, errors.New("its bytes are not those that were written under this key")
	}
	o.Body = append(bytes.Clone(head), "\n}"...)
	return o, nil
}
