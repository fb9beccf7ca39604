package oci_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/oci"
	"github.com/sprint-ml/sprint/jobs/mirror/oci/ocitest"
	"github.com/sprint-ml/sprint/storage/models"
)

func TestConformance(t *testing.T) {
	mirrortest.Run(t, mirrortest.Subject{To: "oci://registry.example/team/news", New: func(t *testing.T) mirrortest.Server { return ocitest.New(t) }})
}

// TestReferrers: the card is found by the image, once.
func TestReferrers(t *testing.T) {
	r := ocitest.New(t)
	for range 2 {
		mirrortest.Fill(t, r)
	}
	if got := r.Referrers(t, "latest"); !slices.Equal(got, []string{"application/vnd.sprint.card.v1"}) {
		t.Errorf("latest is referred to by %v", got)
	}
}

// TestRedirects: another host to which a registry leads, on the same machine too, is not
// given the account; the registry itself is.
func TestRedirects(t *testing.T) {
	var other *httptest.Server
	var asked []string
	named := func(name string, answer http.HandlerFunc) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, strings.TrimSpace(name+" "+r.Header.Get("Authorization")))
			answer(w, r)
		}))
		t.Cleanup(s.Close)
		return s
	}
	other = named("other", http.NotFound)
	first := named("registry", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	registry, err := oci.New(strings.TrimPrefix(first.URL, "http://")+"/team/news", oci.Options{Secret: "token-of-ours", Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = registry.Point(t.Context(), "latest", mirror.Release{Release: models.Release{Name: "news", Version: 1, Digest: "sha256:1"}})
	if err == nil || !slices.Contains(asked, "registry Bearer token-of-ours") || !slices.Contains(asked, "other") || slices.Contains(asked, "other Bearer token-of-ours") {
		t.Errorf("%v: asked were %q", err, asked)
	}
}

// TestEndless: of a manifest without an end, or of more than one may have, no more is read
// than that, whatever the registry says of its size.
func TestEndless(t *testing.T) {
	for name, header := range map[string]http.Header{
		"of a size":   {"Content-Length": {"209715200"}, "Docker-Content-Digest": {"sha256:" + strings.Repeat("0", 64)}},
		"without":     {"Docker-Content-Digest": {"sha256:" + strings.Repeat("0", 64)}},
		"of a digest": {},
	} {
		sent := make(chan int, 1)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for key, values := range header {
				w.Header()[key] = values
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			if r.Method == http.MethodHead {
				return // it has no body
			}
			n, part := 0, []byte(strings.Repeat("x", 1<<20))
			for n < 200 {
				if _, err := w.Write(part); err != nil {
					break
				}
				n++
			}
			sent <- n
		}))
		t.Cleanup(s.Close)
		registry, err := oci.New(strings.TrimPrefix(s.URL, "http://")+"/team/news", oci.Options{Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		err = registry.Push(t.Context(), mirror.Release{Release: models.Release{Name: "news", Version: 1, Digest: "sha256:1"}})
		if n := <-sent; err == nil || n > 60 {
			t.Errorf("%s: %.200v after %d MiB", name, err, n)
		}
	}
}
