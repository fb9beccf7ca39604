package record_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/record"
	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

const secret = "0123456789abcdef0123456789abcdef"

func keyring(t testing.TB, signing string, accepted ...string) *record.Keyring {
	t.Helper()
	k, err := record.NewKeyring(signing, accepted...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// FuzzRecord: whatever the bytes, a record is refused or whole, and one that
// is written is read again.
func FuzzRecord(f *testing.F) {
	k := keyring(f, secret)
	var none *record.Keyring
	f.Add(none.Encode("a/b", []byte("body")))
	f.Add(k.Encode("a/b", []byte("body")))
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"sprint":1,"sha256":"` + strings.Repeat("0", 64) + `","nonce":""}` + "\nbody"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o record.Object
		var err error
		fuzztest.Bounded(t, func() { o, err = record.Decode("a/b", data) })
		if err == nil && !bytes.HasSuffix(data, o.Body) {
			t.Errorf("the body %q is no part of the record", o.Body)
		}
		if err == nil && k.Check(o) == nil && !bytes.Equal(data, k.Encode("a/b", []byte("body"))) && string(o.Body) != "body" {
			t.Errorf("%q is taken for signed", data)
		}
		for _, k := range []*record.Keyring{none, k} {
			o, err = record.Decode("a/b", k.Encode("a/b", data))
			if err != nil || !bytes.Equal(o.Body, data) || k.Check(o) != nil {
				t.Errorf("%q came back as %q, %v", data, o.Body, err)
			}
		}
	})
}

// FuzzDocument: the same of documents.
func FuzzDocument(f *testing.F) {
	k := keyring(f, secret)
	var none *record.Keyring
	f.Add(none.EncodeDocument("a/b", []byte("{\n  \"a\": 1\n}")))
	f.Add(k.EncodeDocument("a/b", []byte("{\n  \"a\": 1\n}")))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var o record.Object
		var err error
		fuzztest.Bounded(t, func() { o, err = record.DecodeDocument("a/b", data) })
		if err != nil || !bytes.HasSuffix(o.Body, []byte("\n}")) {
			return
		}
		again, err := record.DecodeDocument("a/b", k.Sign(o))
		if err != nil || k.Check(again) != nil || !bytes.Equal(again.Body, o.Body) {
			t.Errorf("%q came back as %q, %v", o.Body, again.Body, err)
		}
	})
}

// TestNothingFollowsAValue: what stands behind a JSON value is not overlooked, in a list
// of files as in the header of a record of the first format.
func TestNothingFollowsAValue(t *testing.T) {
	header := fmt.Sprintf(`{"sprint":1,"sha256":"%x"}`, sha256.Sum256([]byte("body")))
	for more, good := range map[string]bool{"": true, " ": true, "{}": false, "x": false, " 1": false, "]": false} {
		var list []int
		if err := record.DecodeStrict([]byte("[1]"+more), &list); (err == nil) != good {
			t.Errorf("a list followed by %q: %v", more, err)
		}
		if _, err := record.Decode("a/b", []byte(header+more+"\nbody")); (err == nil) != good {
			t.Errorf("a header followed by %q: %v", more, err)
		}
	}
}
