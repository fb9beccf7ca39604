package bucket

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest/fuzztest"
)

// FuzzRecord: whatever the bytes, a record is refused or whole, and one that
// is written is read again.
func FuzzRecord(f *testing.F) {
	f.Add(encodeRecord("a/b", []byte("body"), NewNonce()))
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"sprint":1,"sha256":"` + strings.Repeat("0", 64) + `","nonce":""}` + "\nbody"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var body []byte
		var err error
		fuzztest.Bounded(t, func() { body, _, err = decodeRecord("a/b", data) })
		if err == nil && !bytes.HasSuffix(data, body) {
			t.Errorf("the body %q is no part of the record", body)
		}
		body, nonce, err := decodeRecord("a/b", encodeRecord("a/b", data, "n"))
		if err != nil || nonce != "n" || !bytes.Equal(body, data) {
			t.Errorf("%q came back as %q, %q, %v", data, body, nonce, err)
		}
	})
}

// FuzzURL: a URL is refused or opened, and no secret is shown.
func FuzzURL(f *testing.F) {
	f.Add("s3://user:hunter2@bucket/p?region=x&endpoint=http://u:hunter2@h")
	f.Add("file:///tmp/a?b=c")
	f.Add("plain/folder?x")
	f.Fuzz(func(t *testing.T, raw string) {
		_, d, err := parseURL(raw)
		if err == nil && d.open == nil {
			t.Errorf("%q has no driver", raw)
		}
		_ = Redact(raw)
	})
}
