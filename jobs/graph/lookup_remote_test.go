package graph_test

import (
	"bytes"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestLookupAnyName: others name their objects as they like; what Glob finds,
// File reads.
func TestLookupAnyName(t *testing.T) {
	store, err := url.Parse(storagetest.S3URL(t, nil)())
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(store.Query().Get("endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"Folder/50%.CSV", "Folder/Rows 1.CSV"}
	for _, key := range keys {
		put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.JoinPath(store.Host, store.Path, url.PathEscape(key)).String(), bytes.NewReader([]byte(key)))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(put)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	dir := t.TempDir()
	l := graph.NewLookup(dir, filepath.Join(dir, "cache"), true, time.Now())
	defer l.Close()
	base, query, _ := strings.Cut(store.String(), "?")
	paths, err := l.Glob(t.Context(), base+"/Folder/*.CSV?"+query)
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int64
	for _, path := range paths {
		info, err := l.File(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size)
	}
	if want := []int64{int64(len(keys[0])), int64(len(keys[1]))}; !slices.Equal(sizes, want) {
		t.Errorf("%q have %d bytes, want %d", paths, sizes, want)
	}
}
