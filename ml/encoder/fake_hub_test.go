package encoder_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/encoder"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// fakeHub speaks the hub's protocol: the model API, small files served with
// git's blob id, large ones by a redirect to a CDN that honours Range.
type fakeHub struct {
	hub, cdn *httptest.Server
	files    map[string][]byte

	mu       sync.Mutex
	cut      int           // the CDN breaks this many answers off half-way
	flip     bool          // the CDN serves a wrong byte
	gated    bool          // the hub answers 401 without the token
	ranges   int           // answers that continued a file
	requests int           // to hub and CDN
	pause    time.Duration // between the pieces of the CDN's answer
	leaked   string        // an Authorization header that reached the CDN
	oneHost  bool          // the CDN is another port of the hub's host
}

const secret = "hf_very_secret"

func newFakeHub(t *testing.T, dir string) *fakeHub {
	t.Helper()
	f := &fakeHub{files: map[string][]byte{}}
	for _, name := range []string{"config.json", "vocab.txt", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		f.files[name] = data
	}
	f.cdn = httptest.NewServer(http.HandlerFunc(f.serveCDN))
	f.hub = httptest.NewServer(http.HandlerFunc(f.serveHub))
	t.Cleanup(f.cdn.Close)
	t.Cleanup(f.hub.Close)
	return f
}

func (f *fakeHub) serveHub(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if f.gated && r.Header.Get("Authorization") != "Bearer "+secret {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.URL.Path {
	case "/api/models/org/model/revision/main", "/api/models/org/model/revision/v1":
		fmt.Fprintf(w, `{"sha":%q,"tags":["bert","license:cc0-1.0"],"siblings":[]}`, commit)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/org/model/resolve/"+commit+"/")
	data, there := f.files[name]
	if !ok || !there {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	if name == "model.safetensors" {
		sum := sha256.Sum256(data)
		w.Header().Set("X-Linked-Etag", `"`+hex.EncodeToString(sum[:])+`"`)
		w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
		// Another host name for the same machine, as a CDN has one of its own.
		cdn := strings.Replace(f.cdn.URL, "127.0.0.1", "localhost", 1)
		if f.oneHost {
			cdn = f.cdn.URL
		}
		http.Redirect(w, r, cdn+"/blob?Signature=abc", http.StatusFound)
		return
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00%s", len(data), data)
	w.Header().Set("ETag", `"`+hex.EncodeToString(h.Sum(nil))+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func (f *fakeHub) serveCDN(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if h := r.Header.Get("Authorization"); h != "" {
		f.leaked = h
	}
	if r.Header.Get("Range") != "" {
		f.ranges++
	}
	data := bytes.Clone(f.files["model.safetensors"])
	if f.flip {
		data[len(data)-1] ^= 1
	}
	if f.cut > 0 {
		f.cut--
		from := 0
		if s, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
			from, _ = strconv.Atoi(strings.TrimSuffix(s, "-"))
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(data[from : from+(len(data)-from)/2])
		return // the server closes a connection whose body is too short
	}
	if f.pause > 0 {
		for piece := range slices.Chunk(data, len(data)/20+1) {
			time.Sleep(f.pause)
			_, _ = w.Write(piece)
			_ = http.NewResponseController(w).Flush()
		}
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

func (f *fakeHub) options(t *testing.T) encoder.Options {
	return encoder.Options{CacheDir: t.TempDir(), HubURL: f.hub.URL, Token: func() string { return "" }}
}

func open(t *testing.T, ref string, o encoder.Options) (string, error) {
	t.Helper()
	id, err := encoder.Resolve(t.Context(), ref, o)
	if err != nil {
		return "", err
	}
	return encoder.Fetch(t.Context(), id, o)
}

// load resolves, fetches and reads an encoder.
func load(t *testing.T, ref string, o encoder.Options) (*encoder.Encoder, encoder.ID, error) {
	t.Helper()
	id, err := encoder.Resolve(t.Context(), ref, o)
	if err != nil {
		return nil, id, err
	}
	dir, err := encoder.Fetch(t.Context(), id, o)
	if err != nil {
		return nil, id, err
	}
	e, err := encoder.Load(dir)
	return e, id, err
}
