package record

import (
	"bytes"
	"strings"
	"testing"
)

const nonce = "0123456789abcdef0123456789abcdef"

// TestFormats: the bytes that are written are those that other versions read, and
// what has no key writes what it always did.
func TestFormats(t *testing.T) {
	k, err := NewKeyring("0123456789abcdef0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	rec := Object{Body: []byte("body"), key: "a/b", kind: kindRecord, nonce: nonce}
	doc := Object{Body: []byte("{\n  \"a\": 1\n}"), key: "a/b", kind: kindDocument}
	for want, got := range map[string][]byte{
		`{"sprint":2,"sha256":"681722364f2898b8e3b77a28acd71b6ee833e17b1611f44398cc5807ddfcd0f7","nonce":"` + nonce + `"}` + "\nbody":                                                                                                                      encodeRecord(rec),
		`{"sprint":3,"sha256":"51e2d63468530b42ed54a05b020371eafb952b009e5af6590afa0c10e7241801","nonce":"` + nonce + `","key":"4f78fdea852d9f33","mac":"00262f10279628e30f24e07296d3bde87ccea00055700f77c777dc213712e908"}` + "\nbody":                    encodeRecord(k.sign(rec)),
		"{\n  \"a\": 1,\n  \"sealed\": true,\n  \"sha256\": \"a0dea5d5324bd371cbd7115061e003131635fbf88880ca3eac5a10c96e98590e\"\n}\n":                                                                                                                     encodeDocument(doc),
		"{\n  \"a\": 1,\n  \"sealed\": true,\n  \"key\": \"4f78fdea852d9f33\",\n  \"mac\": \"d2899f1ca426d5869de45eb1cd647cfb3c6a1fc999c8b5b886f488d3116cc1e4\",\n  \"sha256\": \"8a78f50a90fc117a5585624e082f7bf9b042d7982a753e737e51fe38a5932e77\"\n}\n": encodeDocument(k.sign(doc)),
	} {
		if string(got) != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
	}
	var none *Keyring
	if got := none.Encode("a/b", []byte("body")); bytes.Contains(got, []byte("mac")) || bytes.Contains(got, []byte("key")) {
		t.Errorf("without a key %q is written", got)
	}
	// The first format, and a document of before there were seals.
	o, err := Decode("a/b", []byte(`{"sprint":1,"sha256":"230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5","nonce":"n"}`+"\nbody"))
	if err != nil || string(o.Body) != "body" || k.Standing(o) != Unsigned {
		t.Errorf("%q, %v", o.Body, err)
	}
	o, err = DecodeDocument("a/b", []byte(`{"a": 1}`+"\n"))
	if err != nil || string(o.Body) != string(doc.Body) || k.Standing(o) != Unsigned {
		t.Errorf("%q, %v", o.Body, err)
	}
}

// TestDocumentForged: what a document's signature does not cover is not believed.
func TestDocumentForged(t *testing.T) {
	k, err := NewKeyring(strings.Repeat("k", MinKey))
	if err != nil {
		t.Fatal(err)
	}
	good := k.sign(Object{Body: []byte("{\n  \"a\": 1\n}"), key: "a/b", kind: kindDocument})
	for how, forge := range map[string]func(o *Object){
		"other bytes":  func(o *Object) { o.Body = []byte("{\n  \"a\": 2\n}") },
		"half the MAC": func(o *Object) { o.mac = o.mac[:32] },
		"no MAC":       func(o *Object) { o.mac = "" },
		"unsigned":     func(o *Object) { o.Signer, o.mac = "", "" },
		"of another key": func(o *Object) {
			o.mac = k.sign(Object{Body: o.Body, key: "a/c", kind: kindDocument}).mac
		},
		"of a record": func(o *Object) {
			o.mac = k.sign(Object{Body: o.Body, key: "a/b", kind: kindRecord}).mac
		},
	} {
		bad := good
		forge(&bad)
		o, err := DecodeDocument("a/b", encodeDocument(bad))
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if k.Check(o) == nil {
			t.Errorf("%s: it is believed", how)
		}
	}
	data := encodeDocument(good)
	if o, err := DecodeDocument("a/b", data); err != nil || k.Check(o) != nil {
		t.Fatal(err, k.Check(o))
	}
	for i := range data {
		flipped := bytes.Clone(data)
		flipped[i] ^= 1
		if o, err := DecodeDocument("a/b", flipped); err == nil && k.Check(o) == nil {
			t.Errorf("byte %d may be flipped: %q", i, flipped)
		}
	}
}

// TestShortKey: a key that can be guessed is refused, with what makes a good one.
func TestShortKey(t *testing.T) {
	good := strings.Repeat("k", MinKey)
	for _, keys := range [][]string{{""}, {good[1:]}, {good, good[1:]}} {
		if _, err := NewKeyring(keys[0], keys[1:]...); err == nil || !strings.Contains(err.Error(), "openssl rand -hex 32") {
			t.Errorf("%q: %v", keys, err)
		}
	}
}
