package gc_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/gc"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/stages/embeddings"
)

// TestGCEmbeddings: the vectors of encoders that a kept run used stay, whatever their
// age, and so do young ones; others go with their blobs.
func TestGCEmbeddings(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	res := b.MustRun(0, "succeeded succeeded succeeded succeeded")
	used, heads, unused := strings.Repeat("a", 64), strings.Repeat("c", 64), strings.Repeat("b", 64)
	blobs := len(b.Objects("blobs/"))
	var keys []string
	for _, space := range []string{used, heads, unused} {
		a, err := b.Store.Put(b.Ctx, strings.NewReader("vectors of "+space), "")
		if err != nil {
			t.Fatal(err)
		}
		key := embeddings.Prefix + space + "/" + strings.TrimPrefix(a.Digest, "sha256:")
		if err := b.Store.Create(b.Ctx, key, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	last := res.Stages[3]
	m, err := b.Store.Manifest(b.Ctx, last.Kind, last.Key)
	if err != nil {
		t.Fatal(err)
	}
	m.Generation++
	m.Notes = map[string]any{embeddings.NoteName: embeddings.Note{Space: used, Texts: 1}, embeddings.HeadsNoteName: embeddings.Note{Space: heads, Texts: 1}}
	if _, _, err := b.Store.Commit(b.Ctx, m); err != nil {
		t.Fatal(err)
	}
	if n := deleted(b.GC(gc.Collector{KeepRuns: 1, OlderThan: time.Hour}), "embeddings"); n != 0 {
		t.Errorf("%d young ones would go", n)
	}
	b.Age("", 2*time.Hour)
	if n := deleted(b.GC(gc.Collector{KeepRuns: 1, OlderThan: time.Hour, Delete: true}), "embeddings"); n != 1 {
		t.Errorf("%d records went, want 1", n)
	}
	if got := b.Objects(embeddings.Prefix); !slices.Equal(got, keys[:2]) {
		t.Errorf("left are %v", got)
	}
	if n := len(b.Objects("blobs/")); n != blobs+2 {
		t.Errorf("%d blobs are left, want %d", n, blobs+2)
	}
}
