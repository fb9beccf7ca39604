package storagetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
	"github.com/sprint-ml/sprint/storage/record"
)

// Keyring is one of keys that are named by letters: the first signs.
func Keyring(t testing.TB, names ...string) *storage.Keyring {
	t.Helper()
	secrets := make([]string, len(names))
	for i, n := range names {
		secrets[i] = strings.Repeat(n, 32)
	}
	k, err := storage.NewKeyring(secrets[0], secrets[1:]...)
	check(t, err)
	return k
}

// rawRecord is a record in its parts, as whoever may write to a store can make it.
type rawRecord struct {
	Sprint int    `json:"sprint"`
	SHA256 string `json:"sha256"`
	Nonce  string `json:"nonce"`
	Signer string `json:"key,omitempty"`
	MAC    string `json:"mac,omitempty"`
	body   string
}

func parseRaw(t testing.TB, data []byte) (r rawRecord) {
	t.Helper()
	head, body, _ := strings.Cut(string(data), "\n")
	check(t, json.Unmarshal([]byte(head), &r))
	r.body = body
	return r
}

// at returns the record's bytes with the digest that a record under the key has.
func (r rawRecord) at(key string) []byte {
	text := key + "\n" + r.Nonce + "\n"
	if r.Signer != "" {
		text += r.Signer + "\n" + r.MAC + "\n"
	}
	r.SHA256 = fmt.Sprintf("%x", sha256.Sum256([]byte(text+r.body)))
	head, _ := json.Marshal(r) // plain strings cannot fail
	return []byte(string(head) + "\n" + r.body)
}

// Forge returns a record with another body, as whoever may write to the store and
// has no key makes it: whole, under its key.
func Forge(t testing.TB, key string, data []byte, change func(body string) string) []byte {
	t.Helper()
	r := parseRaw(t, data).unsigned()
	r.body = change(r.body)
	return r.at(key)
}

// unsigned returns the record as one who has no key writes it.
func (r rawRecord) unsigned() rawRecord {
	r.Sprint, r.Signer, r.MAC = 2, "", ""
	return r
}

// believed is a store's object, and how it is read.
type believed struct {
	key  string
	read func(*storage.Store) error
}

// populate stores one of everything that is believed.
func populate(t *testing.T, s *storage.Store) []believed {
	t.Helper()
	ctx := testContext(t)
	m := manifest(1, 1, "model")
	_, _, err := s.Commit(ctx, m)
	check(t, err)
	one := tree(t, s, "one")
	release, err := models.In(s).Publish(ctx, "news", one, nil)
	check(t, err)
	check(t, models.In(s).SetAlias(ctx, "news", "latest", release.Version))
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "state"), []byte("x"), 0o644))
	check(t, s.SaveCheckpoint(ctx, "train", m.Key, 1, dir))
	l, err := s.Acquire(ctx, "train/x", storage.Self(), time.Minute, "")
	check(t, err)
	check(t, l.Release(ctx))
	check(t, s.Bury(ctx, storage.Tombstone{Kind: m.Kind, Key: m.Key, Generation: 1}))
	check(t, s.Create(ctx, "answers/aa/a", []byte("{}")))
	check(t, s.WriteDocument(ctx, "runs/r/result.json", []byte("{\n  \"code\": 0\n}")))
	checkpoints := keys(t, s, "checkpoints/")
	return []believed{
		{storage.ManifestKey(m.Kind, m.Key, 1), func(s *storage.Store) error { _, err := s.Manifest(ctx, m.Kind, m.Key); return err }},
		{storage.ManifestKey(m.Kind, m.Key, 1), func(s *storage.Store) error { _, _, err := s.Commit(ctx, m); return err }},
		{storage.ManifestKey(m.Kind, m.Key, 1), func(s *storage.Store) (err error) {
			for _, err = range s.History(ctx, "") {
			}
			return err
		}},
		{"models/news/1/release.json", func(s *storage.Store) error { _, err := models.In(s).ReleaseAt(ctx, "news", 1); return err }},
		{"models/news/1/release.json", func(s *storage.Store) error { _, err := models.In(s).Publish(ctx, "news", one, nil); return err }},
		{"models/news/1/claim", func(s *storage.Store) error { return publishAgain(ctx, s, one) }},
		{"models/news/aliases/latest", func(s *storage.Store) error { _, err := models.In(s).Release(ctx, "news", "latest"); return err }},
		{"models/news/aliases/latest", func(s *storage.Store) error { return models.In(s).SetAlias(ctx, "news", "latest", 1) }},
		{checkpoints[0], func(s *storage.Store) error {
			_, err := s.RestoreCheckpoint(ctx, "train", m.Key, t.TempDir(), slog.New(slog.DiscardHandler), nil)
			return err
		}},
		{"leases/train/x", func(s *storage.Store) error { _, err := s.Lease(ctx, "train/x"); return err }},
		{"leases/train/x", func(s *storage.Store) error {
			l, err := s.Acquire(ctx, "train/x", storage.Self(), time.Minute, "")
			if err == nil {
				err = l.Release(ctx)
			}
			return err
		}},
		{"tombstones/train/" + m.Key, func(s *storage.Store) error { _, err := s.Tombstone(ctx, m); return err }},
		{"answers/aa/a", func(s *storage.Store) error { _, _, err := s.Read(ctx, "answers/aa/a"); return err }},
		{"runs/r/result.json", func(s *storage.Store) error { _, err := s.ReadDocument(ctx, "runs/r/result.json"); return err }},
	}
}

// publishAgain publishes a tree whose release is gone, so that its claim decides.
func publishAgain(ctx context.Context, s *storage.Store, tree storage.Artifact) error {
	record, err := s.ReadFile(ctx, "models/news/1/release.json", 1<<20)
	if err != nil {
		return err
	}
	if err = s.Sweep(ctx, "models/news/1/release.json"); err == nil {
		_, err = models.In(s).Publish(ctx, "news", tree, nil)
	}
	if back := s.WriteFile(ctx, "models/news/1/release.json", record); back != nil {
		return back
	}
	return err
}

// testSigned: nothing that is believed is read if it has no signature, or one of
// another key, whatever reads it; and where it is genuine everything is.
func testSigned(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, &storage.Options{Keys: Keyring(t, "a")})
	stranger := Keyring(t, "x")
	for _, b := range populate(t, s) {
		if err := b.read(second(t, s)); err != nil {
			t.Fatalf("%s: %v", b.key, err)
		}
		good, err := s.ReadFile(ctx, b.key, 1<<20)
		check(t, err)
		o, err := record.Decode(b.key, good)
		if strings.HasPrefix(b.key, "runs/") {
			o, err = record.DecodeDocument(b.key, good)
		}
		check(t, err)
		var none *storage.Keyring
		for how, k := range map[string]*storage.Keyring{"it is not signed": none, "signed with key " + stranger.ID(): stranger} {
			bad := k.Sign(o)
			check(t, s.WriteFile(ctx, b.key, bad))
			want(t, b.read(second(t, s)), storage.ErrUntrusted, b.key, how)
			if now, err := s.ReadFile(ctx, b.key, 1<<20); err != nil || !bytes.Equal(now, bad) {
				t.Errorf("%s: what is not trusted was replaced: %v", b.key, err)
			}
		}
		check(t, s.WriteFile(ctx, b.key, good))
		if err := b.read(s); err != nil {
			t.Errorf("%s: the good one back: %v", b.key, err)
		}
	}
}

// testForged: whoever has no key cannot change a record, move it, or cut its
// signature, whatever else of it they make fit.
func testForged(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, &storage.Options{Keys: Keyring(t, "a")})
	a, b := manifest(1, 1, "model"), manifest(2, 1, "other")
	for _, m := range []storage.Manifest{a, b} {
		_, _, err := s.Commit(ctx, m)
		check(t, err)
	}
	keyA, keyB := storage.ManifestKey(a.Kind, a.Key, 1), storage.ManifestKey(b.Kind, b.Key, 1)
	good, err := s.ReadFile(ctx, keyA, 1<<20)
	check(t, err)
	other, err := s.ReadFile(ctx, keyB, 1<<20)
	check(t, err)
	genuine := parseRaw(t, good)
	if !bytes.Equal(genuine.at(keyA), good) {
		t.Fatal("the test makes no genuine record")
	}
	evil := strings.Replace(genuine.body, digest([]byte("model")), digest([]byte("evil")), 1)
	for how, forge := range map[string]func(r *rawRecord){
		"unsigned, with other bytes":      func(r *rawRecord) { *r = r.unsigned(); r.body = evil },
		"unsigned":                        func(r *rawRecord) { *r = r.unsigned() },
		"other bytes, the same MAC":       func(r *rawRecord) { r.body = evil },
		"another nonce, the same MAC":     func(r *rawRecord) { r.Nonce = strings.Repeat("1", 32) },
		"half the MAC":                    func(r *rawRecord) { r.MAC = r.MAC[:32] },
		"one byte of the MAC":             func(r *rawRecord) { r.MAC = r.MAC[:2] },
		"no MAC":                          func(r *rawRecord) { r.MAC = "" },
		"a longer MAC":                    func(r *rawRecord) { r.MAC += "00" },
		"a MAC that is no number":         func(r *rawRecord) { r.MAC = strings.Repeat("z", 64) },
		"the MAC of another key's":        func(r *rawRecord) { r.MAC = parseRaw(t, other).MAC },
		"the name of another key":         func(r *rawRecord) { r.Signer = Keyring(t, "x").ID() },
		"swapped with another manifest's": func(r *rawRecord) { *r = parseRaw(t, other) },
	} {
		r := genuine
		forge(&r)
		check(t, s.WriteFile(ctx, keyA, r.at(keyA)))
		if _, _, err := s.Read(ctx, keyA); err == nil {
			t.Errorf("%s: it is believed", how)
		} else {
			want(t, err, storage.ErrUntrusted, keyA)
		}
	}
	// Nor can a part of it be left out.
	check(t, s.Create(ctx, "r/lines", []byte("one\ntwo")))
	lines, err := s.ReadFile(ctx, "r/lines", 1<<20)
	check(t, err)
	r := parseRaw(t, lines)
	r.Nonce, r.body = r.Nonce+"\none", "two"
	check(t, s.WriteFile(ctx, "r/lines", r.at("r/lines")))
	_, _, err = s.Read(ctx, "r/lines")
	want(t, err, storage.ErrUntrusted, "r/lines")
	// What is damaged only is not taken for an attack: it is made anew.
	check(t, s.WriteFile(ctx, keyA, other))
	_, _, err = s.Read(ctx, keyA)
	want(t, err, storage.ErrCorrupt, "another key")
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1
		check(t, s.WriteFile(ctx, keyA, flipped))
		_, version, err := s.Read(ctx, keyA)
		want(t, err, storage.ErrCorrupt, keyA)
		if version == "" {
			t.Fatalf("byte %d: a corrupt record without a version cannot be replaced", i)
		}
	}
	check(t, s.WriteFile(ctx, keyA, good))
	if _, err := s.Manifest(ctx, a.Kind, a.Key); err != nil {
		t.Error(err)
	}
}

// testKeyRotation: while some hold the old key and some the new one, whoever
// accepts both works on; then the new one alone is enough.
func testKeyRotation(t *testing.T, h Harness) {
	ctx := testContext(t)
	old := h.Open(t, &storage.Options{Keys: Keyring(t, "a", "b")})
	now := old.WithKeys(Keyring(t, "b", "a"))
	all := populate(t, old)
	for _, b := range all {
		if err := b.read(now); err != nil {
			t.Errorf("%s: %v", b.key, err)
		}
	}
	for i, s := range []*storage.Store{old, now} { // both write, and each reads what the other did
		_, _, err := s.Commit(ctx, manifest(byte(3+i), 1, "model"))
		check(t, err)
	}
	for i, s := range []*storage.Store{now, old} {
		_, err := s.Manifest(ctx, "train", manifest(byte(3+i), 1).Key)
		check(t, err)
	}
	alone := old.WithKeys(Keyring(t, "b"))
	want(t, alone.Create(ctx, "answers/aa/b", nil), storage.ErrUntrusted, Keyring(t, "a").ID())
	check(t, now.BeginSigning(ctx))
	standings := map[record.Standing]int{}
	for range 2 {
		for _, key := range keys(t, old, "") {
			if strings.HasPrefix(key, "blobs/") || strings.HasPrefix(key, "kept/") || strings.Contains(key, "/files/") {
				continue
			}
			standing, err := now.Standing(ctx, key, strings.HasPrefix(key, "runs/"), func(s record.Standing) bool { return s == record.Accepted })
			check(t, err)
			standings[standing]++
		}
	}
	if n := standings[record.Accepted]; n == 0 || standings[record.Current] <= n || len(standings) != 2 {
		t.Errorf("signed anew: %v", standings)
	}
	for _, b := range all {
		if err := b.read(alone); err != nil {
			t.Errorf("%s: %v", b.key, err)
		}
	}
	want(t, old.WithKeys(Keyring(t, "a")).Create(ctx, "answers/aa/b", nil), storage.ErrUntrusted, "signed")
}

// testKeyless: without a key a signed store is read as any other, and not written
// to; a key writes to no store that is not signed; and no two begin to sign.
func testKeyless(t *testing.T, h Harness) {
	ctx, s := testContext(t), h.Open(t, &storage.Options{Keys: Keyring(t, "a")})
	all := populate(t, s)
	before := keys(t, s, "")
	plain := s.WithKeys(nil)
	for _, b := range all {
		if err := b.read(plain); err != nil && !strings.Contains(err.Error(), storage.ErrNoKey.Error()) {
			t.Errorf("%s: %v", b.key, err)
		}
	}
	_, version, err := plain.Read(ctx, "answers/aa/a")
	check(t, err)
	_, swap := plain.Swap(ctx, "answers/aa/a", version, nil)
	_, blob := plain.Put(ctx, strings.NewReader("new"), "")
	_, lease := plain.Acquire(ctx, "train/y", storage.Self(), time.Minute, "")
	_, _, commit := plain.Commit(ctx, manifest(5, 1, "model"))
	for _, err := range []error{
		swap, blob, lease, commit, plain.Create(ctx, "new/a", nil), plain.WriteRecord(ctx, "new/a", nil), plain.WriteFile(ctx, "new/a", nil),
		plain.WriteNew(ctx, "new/a", nil), plain.WriteDocument(ctx, "new/a", []byte("{\n  \"a\": 1\n}")), plain.Copy(ctx, "new/a", "answers/aa/a", 1),
	} {
		want(t, err, storage.ErrDenied)
		want(t, err, storage.ErrNoKey)
	}
	if after := keys(t, s, ""); !slices.Equal(before, after) {
		t.Errorf("there were %q, there are %q", before, after)
	}
	// An old store.
	s = h.Open(t, &storage.Options{})
	all = populate(t, s)
	keyed := s.WithKeys(Keyring(t, "a"))
	for _, b := range all {
		want(t, b.read(keyed), storage.ErrUntrusted)
	}
	want(t, keyed.Create(ctx, "answers/aa/b", nil), storage.ErrUntrusted, `"signed"`)
	if got := keys(t, s, "answers/"); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
	// Both begin to sign an empty one: one of them did.
	s = h.Open(t, &storage.Options{})
	errs := make(chan error, 2)
	for _, name := range []string{"a", "b"} {
		one := s.WithKeys(Keyring(t, name))
		go func() { errs <- one.Create(ctx, "answers/aa/"+name, nil) }()
	}
	first, last := <-errs, <-errs
	if (first == nil) == (last == nil) {
		t.Errorf("two began to sign: %v, %v", first, last)
	}
}
