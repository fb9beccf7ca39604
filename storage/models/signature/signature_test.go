package signature_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/models/signature"
	"github.com/sprint-ml/sprint/storage/models/signature/signaturetest"
)

// newKey makes a private key and its public key.
func newKey(t testing.TB, curve elliptic.Curve) (*signature.PrivateKey, *signature.PublicKey) {
	t.Helper()
	secret, shown := signaturetest.PairOf(t, curve)
	private, err := signature.ParsePrivateKey([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	public, err := signature.ParsePublicKey([]byte(shown))
	if err != nil || public.ID != private.ID || !signature.ValidID(public.ID) {
		t.Fatalf("%v: the key %s has the public key %s", err, private, public.ID)
	}
	return private, public
}

func trust(keys ...*signature.PublicKey) *signature.Trust { return &signature.Trust{Keys: keys} }

func of(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

func files() map[string]string {
	return map[string]string{"a.txt": of("a"), "a/b.bin": of("b"), "config.json": of("{}"), "模型.bin": of("m")}
}

// TestRoundTrip: of every curve, what one key signs that key alone opens, and the same key
// signs the same files with the same bytes.
func TestRoundTrip(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, public := newKey(t, curve)
		bundle, root, err := signature.SignModel(t.Context(), key, "news", files())
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := signature.SignModel(t.Context(), key, "news", files())
		if err != nil || !bytes.Equal(bundle, again) {
			t.Errorf("%s: signed twice: %v\n%s\n%s", curve.Params().Name, err, bundle, again)
		}
		m, err := trust(public).Model(t.Context(), bundle)
		if err != nil {
			t.Fatal(err)
		}
		if m.Name != "news" || m.Signer != public.ID || m.Root != root || !reflect.DeepEqual(m.Files, files()) {
			t.Errorf("%+v", m)
		}
		if left, err := m.Compare(files()); err != nil || left != nil {
			t.Errorf("%v %v", left, err)
		}
		_, other := newKey(t, curve)
		if _, err := trust(other).Model(t.Context(), bundle); !errors.Is(err, signature.ErrUnknownKey) {
			t.Errorf("another key: %v", err)
		}
		if m, err := trust(other, public).Model(t.Context(), bundle); err != nil || m.Signer != public.ID {
			t.Errorf("one of two keys: %v", err)
		}
		if _, err := (&signature.Trust{Keys: []*signature.PublicKey{public}, Revoked: []string{public.ID}}).Model(t.Context(), bundle); !errors.Is(err, signature.ErrRevoked) {
			t.Errorf("revoked: %v", err)
		}
	}
}

// TestOtherFiles: each way in which files differ is told by name.
func TestOtherFiles(t *testing.T) {
	key, public := newKey(t, elliptic.P256())
	bundle, _, err := signature.SignModel(t.Context(), key, "news", files())
	if err != nil {
		t.Fatal(err)
	}
	m, err := trust(public).Model(t.Context(), bundle)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(map[string]string)
		want   signature.Differs
	}{
		"other bytes":        {func(f map[string]string) { f["a/b.bin"] = of("c") }, signature.Differs{Changed: []string{"a/b.bin"}}},
		"missing":            {func(f map[string]string) { delete(f, "a.txt") }, signature.Differs{Missing: []string{"a.txt"}}},
		"added":              {func(f map[string]string) { f["run.py"] = of("x") }, signature.Differs{Added: []string{"run.py"}}},
		"beside by its name": {func(f map[string]string) { f["model.sig2"] = of("x") }, signature.Differs{Added: []string{"model.sig2"}}},
		"nested git":         {func(f map[string]string) { f["a/.git"] = of("x") }, signature.Differs{Added: []string{"a/.git"}}},
		"nested signature":   {func(f map[string]string) { f["a/model.sig"] = of("x") }, signature.Differs{Added: []string{"a/model.sig"}}},
		"other case":         {func(f map[string]string) { f["A.txt"] = f["a.txt"]; delete(f, "a.txt") }, signature.Differs{Missing: []string{"a.txt"}, Added: []string{"A.txt"}}},
	} {
		f := files()
		c.change(f)
		_, err := m.Compare(f)
		var d *signature.Differs
		if !errors.As(err, &d) || !reflect.DeepEqual(*d, c.want) {
			t.Errorf("%s: %v, want %+v", name, err, c.want)
		}
	}
	f := files()
	f["model.sig"], f["provenance.sig"], f[".git/HEAD"] = of("s"), of("p"), of("g")
	if left, err := m.Compare(f); err != nil || left != nil {
		t.Errorf("beside the model: %v %v", left, err)
	}
}

// vector is the bundle of a key that the specification publishes (ossf/model-signing-spec,
// test-vectors/v1.0, Apache-2.0), and the key.
func vector(t testing.TB) (bundle []byte, key *signature.PublicKey) {
	t.Helper()
	bundle, err := os.ReadFile("testdata/spec-v1.0-key.bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/spec-v1.0-key.pub.pem")
	if err != nil {
		t.Fatal(err)
	}
	if key, err = signature.ParsePublicKey(data); err != nil {
		t.Fatal(err)
	}
	return bundle, key
}

// TestPublishedVector: the bundle that the specification publishes is opened by its key,
// and its files are known.
func TestPublishedVector(t *testing.T) {
	bundle, key := vector(t)
	m, err := trust(key).Model(t.Context(), bundle)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"signme-1": "sha256:bc9a717db6064a32cbe9eae6fc40651dd6d36ef1757183f590eff2b1765d7ebc", "signme-2": "sha256:32dcb1f8e1ae52d5963e56a6ba06ab58b424c15ed2a6b70d2feca1d089370028"}
	if !reflect.DeepEqual(m.Files, want) || m.Name != "model" {
		t.Errorf("%+v", m)
	}
	want["ignore-me"], want[".github/x"] = of("i"), of("g")
	if left, err := m.Compare(want); err != nil || !reflect.DeepEqual(left, []string{"ignore-me"}) {
		t.Errorf("left out are %v, %v", left, err)
	}
}

// edited is the published bundle with one thing changed.
func edited(t testing.TB, change func(b map[string]any)) []byte {
	t.Helper()
	bundle, _ := vector(t)
	var b map[string]any
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	change(b)
	out, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func at(b map[string]any, path ...string) map[string]any {
	for _, p := range path {
		b = b[p].(map[string]any)
	}
	return b
}

// TestBadBundles: what is no signature of its key over these bytes is refused, each by its
// class; nothing of it is believed before.
func TestBadBundles(t *testing.T) {
	bundle, key := vector(t)
	payload := func(from, to string) func(map[string]any) {
		return func(b map[string]any) {
			e := at(b, "dsseEnvelope")
			text, _ := base64.StdEncoding.DecodeString(e["payload"].(string))
			e["payload"] = base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(text), from, to, 1)))
		}
	}
	set := func(value any, path ...string) func(map[string]any) {
		return func(b map[string]any) { at(b, path[:len(path)-1]...)[path[len(path)-1]] = value }
	}
	for name, c := range map[string]struct {
		data []byte
		want error
		says string
	}{
		"empty":             {nil, signature.ErrDamaged, "no bundle"},
		"no JSON":           {[]byte("%PDF"), signature.ErrDamaged, "no bundle"},
		"cut":               {bundle[:len(bundle)/2], signature.ErrDamaged, "no bundle"},
		"two":               {append(bytes.Clone(bundle), bundle...), signature.ErrDamaged, "follows"},
		"a list":            {[]byte("[]"), signature.ErrDamaged, "no bundle"},
		"null":              {[]byte("null"), signature.ErrDamaged, "want application"},
		"deep":              {bytes.Repeat([]byte("["), 100_000), signature.ErrDamaged, "no bundle"},
		"too long":          {bytes.Repeat([]byte(" "), 33<<20), signature.ErrDamaged, "more than"},
		"unknown field":     {edited(t, set(1, "more")), signature.ErrDamaged, "more"},
		"other media":       {edited(t, set("text/plain", "mediaType")), signature.ErrDamaged, "text/plain"},
		"no envelope":       {edited(t, func(b map[string]any) { delete(b, "dsseEnvelope") }), signature.ErrDamaged, "want application"},
		"no material":       {edited(t, func(b map[string]any) { delete(b, "verificationMaterial") }), signature.ErrDamaged, "no key"},
		"certificate":       {edited(t, set(map[string]any{"rawBytes": "AA=="}, "verificationMaterial", "certificate")), signature.ErrDamaged, "certificate"},
		"a chain":           {edited(t, set(map[string]any{}, "verificationMaterial", "x509CertificateChain")), signature.ErrDamaged, "certificate"},
		"raw key is none":   {edited(t, set(map[string]any{"rawBytes": "AA=="}, "verificationMaterial", "publicKey")), signature.ErrDamaged, "PEM"},
		"other hint":        {edited(t, set("00", "verificationMaterial", "publicKey", "hint")), signature.ErrUnknownKey, key.ID},
		"no signatures":     {edited(t, set([]any{}, "dsseEnvelope", "signatures")), signature.ErrDamaged, "0 signatures"},
		"two signatures":    {edited(t, set([]any{map[string]any{"sig": "AA=="}, map[string]any{"sig": "AA=="}}, "dsseEnvelope", "signatures")), signature.ErrDamaged, "2 signatures"},
		"empty signature":   {edited(t, set([]any{map[string]any{"sig": ""}}, "dsseEnvelope", "signatures")), signature.ErrDamaged, "base64"},
		"other signature":   {edited(t, set([]any{map[string]any{"sig": "AAAA"}}, "dsseEnvelope", "signatures")), signature.ErrForged, key.ID},
		"no base64":         {edited(t, set("*", "dsseEnvelope", "payload")), signature.ErrDamaged, "base64"},
		"other payload":     {edited(t, set("text/plain", "dsseEnvelope", "payloadType")), signature.ErrDamaged, "text/plain"},
		"other digest":      {edited(t, payload("bc9a717d", "bc9a717e")), signature.ErrForged, key.ID},
		"other predicate":   {edited(t, payload("model_signing", "example")), signature.ErrForged, key.ID},
		"a space":           {edited(t, payload("{", "{ ")), signature.ErrForged, key.ID},
		"nothing in it":     {[]byte("{}"), signature.ErrDamaged, "want application"},
		"a name as a digit": {edited(t, set(3, "mediaType")), signature.ErrDamaged, "no bundle"},
	} {
		if m, err := trust(key).Model(t.Context(), c.data); m != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, c.want, c.says)
		}
	}
	if _, err := (&signature.Trust{}).Model(t.Context(), bundle); err == nil {
		t.Error("trusted without a key")
	}
	if m, err := trust(key).Model(t.Context(), edited(t, func(b map[string]any) { at(b, "dsseEnvelope")["signatures"].([]any)[0].(map[string]any)["keyid"] = nil })); err != nil {
		t.Errorf("a keyid of null, as older signers have it: %v %v", m, err)
	}
}

// TestRun: the statement of a run is about one model, and opened by the same keys.
func TestRun(t *testing.T) {
	key, public := newKey(t, elliptic.P256())
	bundle, root, err := signature.SignModel(context.Background(), key, "news", files())
	if err != nil {
		t.Fatal(err)
	}
	said, err := signature.SignRun(t.Context(), key, "news", root, signature.Provenance{Definition: signature.Definition{BuildType: signature.BuildType, External: map[string]any{"plan": "news"}}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := trust(public).Model(t.Context(), bundle)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := trust(public).Run(t.Context(), said, m); err != nil || p.Definition.External["plan"] != "news" {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := trust(public).Run(t.Context(), bundle, m); !errors.Is(err, signature.ErrDamaged) {
		t.Errorf("the model's signature in its place: %v", err)
	}
	if _, err := trust(public).Model(t.Context(), said); !errors.Is(err, signature.ErrDamaged) {
		t.Errorf("the run's statement in place of the model's: %v", err)
	}
	m.Root = strings.Repeat("0", 64)
	if _, err := trust(public).Run(t.Context(), said, m); !errors.Is(err, signature.ErrDamaged) || !strings.Contains(err.Error(), root) {
		t.Errorf("about another model: %v", err)
	}
}

// TestBadKeys: what is no key says so, and shows nothing of what it read.
func TestBadKeys(t *testing.T) {
	block := func(kind, body string) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(body)}) }
	for name, data := range map[string][]byte{
		"empty": nil, "a password": []byte("hunter2"), "encrypted": block("ENCRYPTED PRIVATE KEY", "hunter2"),
		"encrypted before": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("hunter2")}),
		"other bytes":      block("PRIVATE KEY", "hunter2"), "only parameters": block("EC PARAMETERS", "hunter2"),
	} {
		if k, err := signature.ParsePrivateKey(data); k != nil || err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v %v", name, k, err)
		}
	}
	for name, data := range map[string][]byte{"empty": nil, "no PEM": []byte("x"), "a private key": block("PRIVATE KEY", "x"), "other bytes": block("PUBLIC KEY", "x")} {
		if k, err := signature.ParsePublicKey(data); k != nil || err == nil {
			t.Errorf("%s: %v %v", name, k, err)
		}
	}
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(weak)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signature.ParsePrivateKey(block("PRIVATE KEY", string(der))); err == nil || !strings.Contains(err.Error(), "P-224") {
		t.Errorf("a curve that the format does not know: %v", err)
	}
	key, _ := newKey(t, elliptic.P256())
	for _, text := range []string{fmt.Sprintf("%v", key), fmt.Sprintf("%+v", key), fmt.Sprintf("%#v", key), key.String()} {
		if text != "key "+key.ID {
			t.Errorf("a key is shown as %s", text)
		}
	}
}

// FuzzModel: no bundle that is not byte for byte the published one, or says the same by the
// same signature, is opened; none panics.
func FuzzModel(f *testing.F) {
	bundle, key := vector(f)
	f.Add(bundle)
	f.Add(edited(f, func(b map[string]any) { delete(b, "dsseEnvelope") }))
	f.Add([]byte(`{"verificationMaterial":{"publicKey":{"rawBytes":""}},"dsseEnvelope":{"signatures":[{}]}}`))
	want, err := trust(key).Model(context.Background(), bundle)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := trust(key).Model(context.Background(), data)
		if err == nil && !reflect.DeepEqual(m, want) {
			t.Errorf("opened %+v", m)
		}
	})
}
