package storage

import (
	"strings"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
)

// failed lists the probes that a store does not pass.
func failed(t *testing.T, s *Store) []string {
	t.Helper()
	var out []string
	for _, p := range s.Probe(t.Context()) {
		if p.Means == "" {
			t.Errorf("%s does not say what rests on it", p.Name)
		}
		if p.Err != nil {
			t.Logf("%s: %v", p.Name, p.Err)
			out = append(out, p.Name)
		}
	}
	return out
}

// fileblob's exclusive create is a stat and a rename: it passes every test that
// one writer alone can make, and it has no swap.
func TestProbeFlagsFileblob(t *testing.T) {
	bucket, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), "mem://", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.bucket.Close()
	s.bucket = bucket
	s.driver = driver{
		version:   func(*blob.Reader) string { return "1" },
		condition: func(func(any) bool, string) error { return nil },
	}
	defer s.Close()
	got := strings.Join(failed(t, s), ", ")
	if !strings.Contains(got, "create race") || !strings.Contains(got, "stale swap") {
		t.Errorf("flagged are %q; want create race and stale swap at least", got)
	}
}
