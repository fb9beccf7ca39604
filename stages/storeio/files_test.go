package storeio_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages/storeio"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// putObject puts an object into a store on a test server of S3 as other programs
// do, under any key, and returns its URL.
func putObject(t *testing.T, store, key string, data []byte) string {
	t.Helper()
	u, err := url.Parse(store)
	if err != nil {
		t.Fatal(err)
	}
	u = u.JoinPath(key)
	to, err := url.Parse(u.Query().Get("endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, to.JoinPath(u.Host, u.Path).String(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(put)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatal(r.Status)
	}
	return u.String()
}

// TestOpenFileAnyName: others name their files and objects as they like.
func TestOpenFileAnyName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Folder", "Rows 1.CSV")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("local"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		path:             "local",
		"file://" + path: "local",
		putObject(t, storagetest.S3URL(t, nil)(), "Folder/Rows 1.CSV", []byte("s3")): "s3",
	} {
		r, err := storeio.OpenFile(t.Context(), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%s: read %q, %v", name, got, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// slowReply sends the first bytes of a reply, and the rest once they were read.
type slowReply struct {
	http.ResponseWriter
	sent   int
	waited bool
	read   chan struct{}
	t      *testing.T
}

func (w *slowReply) Write(p []byte) (int, error) {
	if w.sent += len(p); w.sent > 1<<20 && !w.waited {
		w.waited = true
		w.ResponseWriter.(http.Flusher).Flush()
		select {
		case <-w.read:
		case <-time.After(10 * time.Second):
			w.t.Error("nothing is read before all of the object has come")
		}
	}
	return w.ResponseWriter.Write(p)
}

// TestOpenFileStreams: an object is read while it comes, not held in memory.
func TestOpenFileStreams(t *testing.T) {
	read := make(chan struct{})
	store := storagetest.S3URL(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/big") {
				w = &slowReply{ResponseWriter: w, read: read, t: t}
			}
			next.ServeHTTP(w, r)
		})
	})()
	data := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
	r, err := storeio.OpenFile(t.Context(), putObject(t, store, "big", data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first := make([]byte, 1000)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	close(read)
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(first, rest...), data) {
		t.Errorf("read %d of %d bytes, %v", len(first)+len(rest), len(data), err)
	}
}
