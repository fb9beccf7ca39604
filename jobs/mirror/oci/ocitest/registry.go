// Package ocitest looks into a registry of containers by its protocol, and is a small one
// itself. reader.go looks, registry.go is.
package ocitest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// registry is a registry of containers in memory, without the API of referrers.
type registry struct {
	mu        sync.Mutex
	blobs     map[string][]byte
	manifests map[string]kept // by digest
	tags      map[string]string
	uploads   int
}

// kept is a manifest.
type kept struct {
	mediaType string
	data      []byte
}

// New starts a registry in memory.
func New(t *testing.T) *Reader {
	r := &registry{blobs: map[string][]byte{}, manifests: map[string]kept{}, tags: map[string]string{}}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return &Reader{Host: strings.TrimPrefix(s.URL, "http://"), Repository: "team/news"}
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(s[:])
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path, ok := strings.CutPrefix(req.URL.Path, "/v2/team/news/")
	if !ok {
		http.NotFound(w, req)
		return
	}
	what, name, _ := strings.Cut(path, "/")
	switch {
	case what == "blobs" && strings.HasPrefix(name, "uploads/"):
		r.upload(w, req)
	case what == "blobs":
		answer(w, req, "application/octet-stream", name, r.blobs[name])
	case what == "manifests" && req.Method == http.MethodPut:
		r.putManifest(w, req, name)
	case what == "manifests":
		digest := name
		if to, ok := r.tags[name]; ok {
			digest = to
		}
		m := r.manifests[digest]
		answer(w, req, m.mediaType, digest, m.data)
	case path == "tags/list":
		var tags []string
		for tag := range r.tags {
			tags = append(tags, fmt.Sprintf("%q", tag))
		}
		slices.Sort(tags)
		fmt.Fprintf(w, `{"name":"team/news","tags":[%s]}`, strings.Join(tags, ","))
	default:
		http.NotFound(w, req)
	}
}

func (r *registry) upload(w http.ResponseWriter, req *http.Request) {
	data, err := io.ReadAll(req.Body)
	digest := req.URL.Query().Get("digest")
	switch {
	case req.Method == http.MethodPost:
		r.uploads++
		w.Header().Set("Location", fmt.Sprintf("/v2/team/news/blobs/uploads/%d", r.uploads))
		w.WriteHeader(http.StatusAccepted)
	case err != nil || sum(data) != digest:
		http.Error(w, `{"errors":[{"code":"DIGEST_INVALID"}]}`, http.StatusBadRequest)
	default:
		r.blobs[digest] = data
		w.WriteHeader(http.StatusCreated)
	}
}

// putManifest takes a manifest whose blobs are there.
func (r *registry) putManifest(w http.ResponseWriter, req *http.Request, name string) {
	data, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	var m manifest
	decode(data, &m)
	for _, b := range append(m.Layers, m.Config) {
		if _, ok := r.blobs[b.Digest]; !ok && b.Digest != "" {
			http.Error(w, `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}`, http.StatusBadRequest)
			return
		}
	}
	digest := sum(data)
	r.manifests[digest] = kept{req.Header.Get("Content-Type"), data}
	if !strings.HasPrefix(name, "sha256:") {
		r.tags[name] = digest
	}
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

func answer(w http.ResponseWriter, req *http.Request, mediaType, digest string, data []byte) {
	if data == nil {
		http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	if req.Method == http.MethodGet {
		_, _ = w.Write(data)
	}
}
