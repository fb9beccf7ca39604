package jobs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sprint-ml/sprint/storage"
)

// A run's result.json and resolved.json are plain JSON, for outside programs to
// read. So that a damaged one is found, they end with a digest of their key and
// of all that stands before the seal.

// sealStart begins the seal, which takes the place of the object's end.
const sealStart = ",\n  \"sealed\": true,\n  \"sha256\": \""

// sealed encodes v, a struct or map with at least one field, under its key.
func sealed(key string, v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	head, ok := bytes.CutSuffix(b, []byte("\n}"))
	if !ok {
		return nil, fmt.Errorf("%s: nothing to seal", key)
	}
	return fmt.Appendf(nil, "%s%s%s\"\n}\n", head, sealStart, sealDigest(key, head)), nil
}

func sealDigest(key string, head []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", key)
	h.Write(head)
	return hex.EncodeToString(h.Sum(nil))
}

// unseal decodes what was read under a key. Objects of before there were seals
// have none.
func unseal(key string, b []byte, v any) error {
	err := json.Unmarshal(b, v)
	if i := bytes.LastIndex(b, []byte(sealStart)); err == nil && i >= 0 {
		if want := fmt.Sprintf("%s\"\n}\n", sealDigest(key, b[:i])); string(b[i+len(sealStart):]) != want {
			err = errors.New("its bytes are not those that were written under this key")
		}
	} else if err == nil && (bytes.Contains(b, []byte("\n  \"sealed\": ")) || bytes.Contains(b, []byte("\n  \"sha256\": "))) {
		err = errors.New("its seal is broken")
	}
	if err != nil {
		return &storage.Error{Op: "read run", Key: key, Class: storage.ErrCorrupt, Err: err}
	}
	return nil
}
