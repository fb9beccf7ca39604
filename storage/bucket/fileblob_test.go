package bucket_test

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage/bucket"
	"github.com/sprint-ml/sprint/storage/probe"
	"gocloud.dev/blob/fileblob"
)

// failed lists the probes that a store does not pass.
func failed(t *testing.T, b *bucket.Bucket) []string {
	t.Helper()
	var out []string
	for _, p := range probe.Run(t.Context(), b) {
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
	blobs, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	b := bucket.WithoutConditions(blobs)
	defer b.Close()
	got := ""
	for range 5 { // a race on a busy machine may go well by chance
		got = strings.Join(failed(t, b), ", ")
		if strings.Contains(got, "create race") && strings.Contains(got, "stale swap") {
			return
		}
	}
	t.Errorf("flagged are %q; want create race and stale swap at least", got)
}
