package encoder

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestGarbageHidesTheToken: net/http quotes an answer that is none.
func TestGarbageHidesTheToken(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte(r.Header.Get("Authorization") + "\r\n\r\n"))
			conn.Close()
		}
	}))
	defer server.Close()
	h := &hub{base: server.URL, token: "hf_very_secret", client: server.Client()}
	if _, err := h.get(t.Context(), server.URL+"/x", 0); err == nil || strings.Contains(err.Error(), "very_secret") || !strings.Contains(err.Error(), "***") {
		t.Errorf("the error is %v", err)
	}
}

// TestRedirects: the hub leads to another host, but not out of TLS, and its token stays with
// it.
func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		from, to       string
		followed, kept bool
	}{
		{"https://hub/a", "https://hub/b", true, true},
		{"https://hub/a", "https://cdn.hub/b", true, false},
		{"https://hub/a", "https://hub:8443/b", true, false},
		{"https://hub/a", "http://hub/b", false, false},
		{"https://hub/a", "http://169.254.169.254/latest/meta-data", false, false},
		{"http://hub/a", "https://hub/b", true, false},
	} {
		from, err := http.NewRequest(http.MethodGet, c.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		to, err := http.NewRequest(http.MethodGet, c.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		to.Header.Set("Authorization", "Bearer x")
		err = checkRedirect(to, []*http.Request{from})
		if (err == nil) != c.followed || err == nil && (to.Header.Get("Authorization") != "") != c.kept {
			t.Errorf("%s to %s: %v, token %q", c.from, c.to, err, to.Header.Get("Authorization"))
		}
	}
}
