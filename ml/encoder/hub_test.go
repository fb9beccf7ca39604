package encoder_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
		http.Redirect(w, r, strings.Replace(f.cdn.URL, "127.0.0.1", "localhost", 1)+"/blob?Signature=abc", http.StatusFound)
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

func TestHubFetchesOnceAndVerifies(t *testing.T) {
	f := newFakeHub(t, tiny(t, "bert.", "weight", "bias"))
	o := f.options(t)
	var said []string
	o.Announce = func(s string) { said = append(said, s) }
	e, id, err := load(t, "org/model", o)
	if err != nil {
		t.Fatal(err)
	}
	if id.Revision != commit || id.License != "cc0-1.0" || id.Digest == "" || e.Prefix != "bert." {
		t.Errorf("id %+v", id)
	}
	if len(said) != 1 || !strings.Contains(said[0], "org/model") || !strings.Contains(said[0], o.CacheDir) {
		t.Errorf("announced %q", said)
	}
	// With the revision pinned the second time needs no network, and is the same.
	f.hub.Close()
	f.cdn.Close()
	o.Offline = true
	again, err := encoder.Resolve(t.Context(), "org/model@"+commit, o)
	if err != nil || again.Digest != id.Digest {
		t.Fatalf("%+v, %v", again, err)
	}
	if !encoder.Cached(again, o) {
		t.Error("not cached")
	}
	dir, err := encoder.Fetch(t.Context(), again, o)
	if err != nil {
		t.Fatal(err)
	}
	// A flipped byte in the cache is found, every time.
	path := filepath.Join(dir, "model.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := encoder.Fetch(t.Context(), again, o); !errors.Is(err, encoder.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
}

func TestHubResumesABrokenDownload(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	f.cut = 2
	if _, err := open(t, "org/model@v1", f.options(t)); err != nil {
		t.Fatal(err)
	}
	if f.ranges != 2 {
		t.Errorf("%d answers continued the file, want 2", f.ranges)
	}
}

func TestHubHealsADamagedEntry(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	o := f.options(t)
	dir, err := open(t, "org/model", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "vocab.txt"), 3); err != nil {
		t.Fatal(err)
	}
	if dir, err = open(t, "org/model", o); err != nil {
		t.Fatal(err)
	}
	if _, err := encoder.Load(dir); err != nil {
		t.Error(err)
	}
}

func TestHubRefusesWrongBytes(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	f.flip = true
	o := f.options(t)
	if _, err := open(t, "org/model", o); !errors.Is(err, encoder.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
	f.flip = false
	if _, err := open(t, "org/model", o); err != nil {
		t.Fatalf("after the mend: %v", err)
	}
}

func TestHubToken(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	f.gated = true
	o := f.options(t)
	_, err := open(t, "org/model", o)
	var fe *encoder.FetchError
	if !errors.As(err, &fe) || !strings.Contains(err.Error(), "401") || !strings.Contains(fe.Hint, "HF_TOKEN") {
		t.Fatalf("got %v", err)
	}
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(io.Writer(&log), &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Token = func() string { return secret }
	f.cut = 1
	if _, err := open(t, "org/model", o); err != nil {
		t.Fatal(err)
	}
	if f.leaked != "" {
		t.Error("the token reached the CDN")
	}
	if strings.Contains(log.String(), secret) || log.Len() == 0 {
		t.Errorf("log: %s", log.String())
	}
}

func TestHubMissing(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	o := f.options(t)
	if _, err := open(t, "org/other", o); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
	delete(f.files, "model.safetensors")
	if _, err := open(t, "org/model", o); err == nil || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("got %v", err)
	}
	before := f.requests
	o.Offline = true
	if _, err := open(t, "org/model", o); err == nil || !strings.Contains(err.Error(), "--offline") {
		t.Errorf("got %v", err)
	}
	if _, err := open(t, "org/model@"+commit, o); err == nil || !strings.Contains(err.Error(), "--offline") {
		t.Errorf("got %v", err)
	}
	if f.requests != before {
		t.Error("offline talked to the hub")
	}
}

func TestStoreURL(t *testing.T) {
	dir := tiny(t, "", "weight", "bias")
	o := encoder.Options{CacheDir: t.TempDir()}
	if _, err := open(t, "s3://bucket/encoder", o); err == nil {
		t.Error("a store URL without OpenURL was accepted")
	}
	o.OpenURL = func(context.Context, string) (encoder.Files, error) {
		files := encoder.Files{}
		for _, name := range []string{"config.json", "vocab.txt", "model.safetensors"} {
			files[name] = func(context.Context) (io.ReadCloser, error) { return os.Open(filepath.Join(dir, name)) }
		}
		return files, nil
	}
	for range 2 {
		e, id, err := load(t, "s3://bucket/encoder", o)
		if err != nil {
			t.Fatal(err)
		}
		folder, err := encoder.Resolve(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if id.Digest != folder.Digest || e.Config.HiddenSize != 4 {
			t.Errorf("store %+v, folder %+v", id, folder)
		}
	}
}
