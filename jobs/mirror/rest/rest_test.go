package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror/rest"
)

// server answers by a handler, and has a client whose secret is secret.
func server(t *testing.T, answer http.HandlerFunc) (*httptest.Server, *rest.Client) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s, rest.New(s.URL, rest.Options{Secret: "secret"})
}

// TestMoved: what is read is followed to another path of the server, with the account; to
// another host nothing is, and what is written is not.
func TestMoved(t *testing.T) {
	other, _ := server(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s came with %q", r.Method, r.URL, r.Header.Get("Authorization"))
	})
	for to, want := range map[string]string{
		"/there?x=1": "Bearer secret /there?x=1", "there": "Bearer secret /a/there", other.URL + "/there": "", "//" + strings.TrimPrefix(other.URL, "http://") + "/there": "", "": "", "/a/round": "",
	} {
		_, c := server(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/a/") && !strings.HasSuffix(r.URL.Path, "there") {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return
			}
			fmt.Fprint(w, r.Header.Get("Authorization"), " ", r.URL)
		})
		var got []byte
		err := c.Do(t.Context(), http.MethodGet, "/a/b", nil, nil, &got)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("to %q: %q %v, want %q", to, got, err, want)
		}
		if err := c.Do(t.Context(), http.MethodPost, "/a/b", nil, nil, &got); !rest.Is(err, http.StatusTemporaryRedirect, "") {
			t.Errorf("a POST to %q: %v", to, err)
		}
	}
}

// TestGiven: addresses that a server gives are asked without the account, and only as safely
// as the server itself.
func TestGiven(t *testing.T) {
	asked := ""
	given, _ := server(t, func(_ http.ResponseWriter, r *http.Request) { asked = "asked" + r.Header.Get("Authorization") })
	for base, want := range map[string]string{"http://hub.example": "asked", "https://hub.example": ""} {
		asked = ""
		err := rest.New(base, rest.Options{Secret: "secret"}).Do(t.Context(), http.MethodPut, given.URL+"/x?signature=s3cret", nil, nil, nil)
		if asked != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("of %s: %q %v", base, asked, err)
		}
	}
	for _, bad := range []string{"", "file:///etc/passwd", "x", "http://", "http://user:pw@" + strings.TrimPrefix(given.URL, "http://"), "http://%zz"} {
		asked = ""
		if err := rest.New("http://hub.example", rest.Options{}).Do(t.Context(), http.MethodPut, bad, nil, nil, nil); err == nil || asked != "" || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: %q %v", bad, asked, err)
		}
	}
}

// TestRefusalIsWhole: what a server says of a refusal is told as a whole or not at all: of a
// secret that it repeats no piece is left by a cut.
func TestRefusalIsWhole(t *testing.T) {
	for _, n := range []int{10, 190, 5000, 1 << 20} {
		_, c := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"message":"%ssecret-of-many-characters"}`, strings.Repeat("x", n))
		})
		err := c.Do(t.Context(), http.MethodGet, "/", nil, nil, nil)
		if whole := strings.Contains(fmt.Sprint(err), "secret-of-many-characters"); !rest.Is(err, http.StatusForbidden, "") || whole != (n <= 5000) || !whole && strings.Contains(err.Error(), "x") {
			t.Errorf("%d: %.300v", n, err)
		}
	}
}

// TestEndless: of an answer without an end no more is read than one may have, whether it
// grants or refuses.
func TestEndless(t *testing.T) {
	for status, want := range map[int]string{http.StatusOK: "an answer is over", http.StatusForbidden: "status 403"} {
		sent := make(chan int, 1)
		_, c := server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			n, part := 0, []byte(strings.Repeat("x", 1<<20))
			for n < 200 {
				if _, err := w.Write(part); err != nil {
					break
				}
				n++
			}
			sent <- n
		})
		var out map[string]any
		err := c.Do(t.Context(), http.MethodGet, "/", nil, nil, &out)
		if n := <-sent; err == nil || !strings.Contains(err.Error(), want) || n > 60 {
			t.Errorf("status %d: %.200v after %d MiB", status, err, n)
		}
	}
}
