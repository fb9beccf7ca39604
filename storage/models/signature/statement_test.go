package signature

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
)

// TestSignedNonsense: a trusted signature over what cannot be compared, or lists what no
// folder has, is refused all the same.
func TestSignedNonsense(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := newPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	key := &PrivateKey{PublicKey: public, private: private}
	trust := &Trust{Keys: []*PublicKey{&public}}
	digest := strings.Repeat("a", 64)
	good := func() predicate {
		return predicate{serialization{Method: "files", Hash: "sha256"}, []resource{{"a", "sha256", digest}, {"b/c", "sha256", digest}}}
	}
	open := func(p predicate, root string) error {
		if root == "" {
			root, _ = rootOf(p.Resources)
		}
		bundle, err := sign(t.Context(), key, "m", root, modelPredicate, p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = trust.Model(t.Context(), bundle)
		return err
	}
	if err := open(good(), ""); err != nil {
		t.Fatal(err)
	}
	if err := open(good(), strings.Repeat("0", 64)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "its digest of the model") {
		t.Errorf("another root: %v", err)
	}
	for says, change := range map[string]func(p *predicate){
		"parts of files":   func(p *predicate) { p.Serialization.Method, p.Serialization.Shard = "shards", 10 },
		"method \"tensors": func(p *predicate) { p.Serialization.Method = "tensors" },
		"digests are \"blake3": func(p *predicate) {
			p.Serialization.Hash = "blake3"
			for i := range p.Resources {
				p.Resources[i].Algorithm = "blake3"
			}
		},
		"follows links":            func(p *predicate) { p.Serialization.Symlinks = true },
		"lists no files":           func(p *predicate) { p.Resources = nil },
		"\"a\" twice":              func(p *predicate) { p.Resources[1].Name = "a" },
		"no sha256 of \"a\"":       func(p *predicate) { p.Resources[0].Algorithm = "md5" },
		"no sha256 of \"b/c\"":     func(p *predicate) { p.Resources[1].Digest = strings.Repeat("A", 64) },
		"\"../x\", which is":       func(p *predicate) { p.Resources[0].Name = "../x" },
		"\"..\", which is":         func(p *predicate) { p.Resources[0].Name = ".." },
		"\"/etc/passwd\", which":   func(p *predicate) { p.Resources[0].Name = "/etc/passwd" },
		"\"b//c\", which is":       func(p *predicate) { p.Resources[0].Name = "b//c" },
		"\"b/\", which is":         func(p *predicate) { p.Resources[0].Name = "b/" },
		"\"\", which is":           func(p *predicate) { p.Resources[0].Name = "" },
		"\"b/../../x\", which is":  func(p *predicate) { p.Resources[0].Name = "b/../../x" },
		"lists more than 100000 f": func(p *predicate) { p.Serialization.Ignored = make([]string, maxFiles+1) },
	} {
		p := good()
		change(&p)
		if err := open(p, ""); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s", err, says)
		}
	}
}
