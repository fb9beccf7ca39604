package httpclient_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/httpclient"
)

// TestTries: how often a server is asked that always answers the same.
func TestTries(t *testing.T) {
	for _, c := range []struct {
		method string
		status int // 0 cuts the connection
		tries  int
	}{
		{http.MethodGet, http.StatusOK, 1},
		{http.MethodGet, http.StatusNotFound, 1},
		{http.MethodGet, http.StatusServiceUnavailable, 3},
		{http.MethodGet, 0, 3},
		{http.MethodPut, http.StatusServiceUnavailable, 3},
		{http.MethodPost, http.StatusTooManyRequests, 3},
		{http.MethodPost, http.StatusServiceUnavailable, 1},
		{http.MethodPost, 0, 1},
		{http.MethodGet, http.StatusFound, 1}, // the account is for this host alone
	} {
		tries := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			tries++
			if c.status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(c.status)
		}))
		req, err := httpclient.NewRequest(t.Context(), c.method, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		client := httpclient.New(httpclient.Options{Transport: &http.Transport{DisableKeepAlives: true}, Retries: 2, Least: time.Millisecond, Most: 5 * time.Millisecond})
		resp, err := client.Do(req)
		switch {
		case c.status == 0 && err == nil:
			t.Errorf("%s: a cut connection is no error", c.method)
		case c.status != 0 && err != nil:
			t.Errorf("%s %d: %v", c.method, c.status, err)
		case c.status != 0 && resp.StatusCode != c.status:
			t.Errorf("%s %d: it returned %d", c.method, c.status, resp.StatusCode)
		}
		if err == nil {
			resp.Body.Close()
		}
		s.Close()
		if tries != c.tries {
			t.Errorf("%s %d: %d tries, want %d", c.method, c.status, tries, c.tries)
		}
	}
}
