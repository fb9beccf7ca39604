package hftest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/hf"
	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
)

const (
	owner = "team"
	name  = "news"
)

// Subject is what the suite tests.
func Subject(chunk int) mirrortest.Subject {
	return mirrortest.Subject{
		To: "hf://" + owner + "/" + name, Own: func(path string) bool { return strings.HasPrefix(path, ".") || path == "theirs.txt" },
		New: func(t *testing.T) mirrortest.Server {
			h := New(t)
			h.Part = chunk
			return h
		},
	}
}

// Open makes a registry of a mirror for the hub's repository.
func (h *Hub) Open(_ *testing.T, transport http.RoundTripper) mirror.Registry {
	return hf.New(rest.New(h.URL, rest.Options{Secret: Token, Transport: transport}), h.URL, owner, name)
}

// rev is what a version or an alias is called.
func rev(name string) string {
	if strings.Trim(name, "0123456789") == "" {
		return "v" + name
	}
	return name
}

// Files are the digests of the files of what a tag names.
func (h *Hub) Files(_ *testing.T, of string) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.repos[owner+"/"+name]
	if p == nil || p.tags[rev(of)] == "" {
		return nil
	}
	files, _ := p.at(rev(of))
	out := map[string]string{}
	for path, data := range files {
		sum := sha256.Sum256(data)
		out[path] = "sha256:" + hex.EncodeToString(sum[:])
	}
	return out
}

// Things are the commits and the tags.
func (h *Hub) Things(*testing.T) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.repos[owner+"/"+name]
	if p == nil {
		return nil
	}
	out := slices.Clone(p.names)
	for tag, commit := range p.tags {
		out = append(out, tag+" "+commit)
	}
	slices.Sort(out)
	return out
}

// Foreign makes a repository of others, with a tag of a version.
func (h *Hub) Foreign(_ *testing.T, version string) func() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &repo{tags: map[string]string{}}
	h.repos[owner+"/"+name] = p
	theirs := p.add(map[string][]byte{"theirs.txt": []byte("theirs")})
	p.tags[rev(version)] = theirs
	return func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		// What they committed is in what follows, too.
		return p.tags[rev(version)] == theirs && string(p.commits[0]["theirs.txt"]) == "theirs"
	}
}

// Move makes a tag name what another one names.
func (h *Hub) Move(_ *testing.T, alias, version string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.repos[owner+"/"+name]
	p.tags[alias] = p.tags[rev(version)]
}
