package storagetest_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/probe"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// looksFirst looks whether an object is there before it creates it, which is too
// late for one of two who look at once: no test of a single writer finds it.
func looksFirst(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			r.Header.Del("If-None-Match")
			look, there := httptest.NewRequest(http.MethodHead, r.URL.Path, nil), httptest.NewRecorder()
			if h.ServeHTTP(there, look); there.Code == http.StatusOK {
				w.WriteHeader(http.StatusPreconditionFailed)
				return
			}
			runtime.Gosched()
		}
		h.ServeHTTP(w, r)
	})
}

// strangersGet answers requests that are not signed with the known key.
func strangersGet(status int) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Authorization"), "Credential=test/") {
				http.Error(w, http.StatusText(status), status)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
}

// TestProbeFlagsPretenders: a server that looks like S3 and is not as good is
// told by the probe, and for what.
func TestProbeFlagsPretenders(t *testing.T) {
	for name, c := range map[string]struct {
		around func(http.Handler) http.Handler
		want   []string
	}{
		"a good one":             {nil, nil},
		"no conditions":          {storagetest.Unconditional(false), []string{"create twice", "create race", "20 MiB create twice", "stale swap"}},
		"none on parts":          {storagetest.Unconditional(true), []string{"20 MiB create twice"}},
		"looks first":            {looksFirst, []string{"create race"}},
		"strangers are refused":  {strangersGet(http.StatusForbidden), nil},
		"strangers find nothing": {strangersGet(http.StatusNotFound), []string{"denied is denied"}},
	} {
		url := storagetest.S3URL(t, c.around)() // it sets the environment, which the parallel ones share
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := storage.Open(t.Context(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var failed []string
			for _, p := range probe.Run(t.Context(), s.Bucket) {
				t.Logf("%s: %v %s", p.Name, p.Err, p.Untried)
				if p.Means == "" {
					t.Errorf("%s does not say what rests on it", p.Name)
				}
				if p.Err != nil {
					failed = append(failed, p.Name)
				}
				if tried := c.around != nil && strings.HasPrefix(name, "strangers"); p.Name == "denied is denied" && (p.Untried == "") != tried {
					t.Errorf("denied is denied: untried %q", p.Untried)
				}
			}
			if !slices.Equal(failed, c.want) {
				t.Errorf("flagged are %q, want %q", failed, c.want)
			}
		})
	}
}
