package serve

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/serve/reload"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// fixed is a source of one classifier.
type fixed struct {
	c        *classify.Classifier
	fallback error
}

func (f fixed) Resolve(context.Context) (reload.Release, error) {
	return reload.Release{Name: "news", Version: 3, Digest: "d1"}, nil
}

func (f fixed) Open(context.Context, reload.Release, bool) (reload.Opened, error) {
	return reload.Opened{Classifier: f.c, Fallback: f.fallback, Close: func() {}}, nil
}

// serve makes a server of a classifier, which is ready.
func serve(t testing.TB, c *classify.Classifier, o Options) (*Server, *httptest.Server) {
	t.Helper()
	server, err := Open(t.Context(), o, reload.Options{Source: fixed{c: c}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server.ready.Store(true)
	s := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		s.Close()
		server.Close()
		if held := server.budget.Held(); held != 0 {
			t.Errorf("%d bytes are held in the end", held)
		}
	})
	return server, s
}

// classifier knows the word fire.
func classifier(t testing.TB) *classify.Classifier {
	t.Helper()
	tax, problems := taxonomy.Parse([]byte("categories:\n  - name: fire\n    rules: [{words: [fire]}]\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	c := classify.New(tax)
	c.Thresholds = []float64{0.5}
	return c
}

// ask sends a request to a server and returns what it answers. The headers are
// NAME, VALUE and so on; those of a well-behaved client are there without.
func ask(t testing.TB, s *httptest.Server, method, path, body string, headers ...string) (status int, answer string, h http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	reply, err := s.Client().Do(r)
	if err != nil {
		t.Error(err)
		return 0, "", nil
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Error(err)
	}
	checkDescribed(t, r, reply.StatusCode, reply.Header, string(b))
	return reply.StatusCode, string(b), reply.Header
}

const path = "/v1/classify"

// TestAnswers: the shapes of requests and of answers.
func TestAnswers(t *testing.T) {
	_, s := serve(t, classifier(t), Options{})
	fire := `"categories":{"fire":{"score":1,"tag":""}},"top":"fire","source":"keywords","model":null}`
	none := `"categories":{"fire":{"score":0,"tag":""}},"top":null,"source":"keywords","model":null}`
	for _, c := range []struct {
		body, want string
		status     int
	}{
		{`{"id":"7","title":"Fire","language":"en"}`, `{"id":"7",` + fire, 200},
		{`{"title":"Fire","description":null}`, `{` + fire, 200},
		{`{"title":"Calm","all":true}`, `{` + none, 200},
		{`{"title":"Fire","threshold":1}`, `{` + fire, 200},
		{`{"instances":[{"title":"Fire"},{"url":"u"}]}`, `{"predictions":[{` + fire + `,{"url":"u","error":"no title"}]}`, 200},
		{`{"instances":[],"all":true}`, `{"predictions":[]}`, 200},
		{`{}`, `{"error":"no title"}`, 422},
		{`{"title":"  "}`, `{"error":"no title"}`, 422},
		{`{"title":"\u0018"}`, `{"error":"no title"}`, 422}, // nothing is left of it
		{`{"title":1}`, "title is a number; a string is wanted", 400},
		{`{"title":"a","threshold":2}`, "a number from 0 to 1", 400},
		{`{"title":"a","instances":[]}`, "not both", 400},
		{`{"instances":{}}`, "instances is an object; a list is wanted", 400},
		{`{"instances":null}`, "a list is wanted", 400},
		{`{"instances":[null]}`, "instances.0 is null; an object is wanted", 400},
		{`{"instances":[{"title":"a","titel":"b"}]}`, `there is no field \"titel\" in instances.0; did you mean title?`, 400},
		{`{"TITLE":"Fire"}`, "did you mean title?", 400},
		{`{"title":"a","title":"b"}`, "twice", 400},
		{`{"title":"` + "\xff" + `"}`, "no UTF-8", 400},
		{`[]`, "an object is wanted", 400},
		{`{"title":"Fire"`, "EOF", 400},
		{`{"title":"Fire"}{}`, "behind the document", 400},
		{``, "it is empty", 400},
		{`{"title":` + strings.Repeat("[", 100000), "title is a list", 400},
	} {
		status, answer, _ := ask(t, s, "POST", path, c.body)
		if status != c.status || !strings.Contains(answer, c.want) || status == 200 && strings.TrimSpace(answer) != c.want {
			t.Errorf("%s: %d %s, want %d %s", c.body, status, answer, c.status, c.want)
		}
	}
}

// counted is the value of a metric, with its labels as they are written.
func counted(t testing.TB, s *httptest.Server, name string) float64 {
	t.Helper()
	_, text, _ := ask(t, s, "GET", "/metrics", "")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			x, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
	}
	t.Fatalf("no metric %s in:\n%s", name, text)
	return 0
}

// TestQuery: what stands behind the path is read as strictly as the body.
func TestQuery(t *testing.T) {
	_, s := serve(t, classifier(t), Options{})
	for query, want := range map[string]int{"?all=true": 200, "?all=false": 200, "?all=null": 400, "?all=true&all=true": 400, "?threshold=1": 400} {
		if status, answer, _ := ask(t, s, "POST", path+query, `{"title":"Calm"}`); status != want || strings.Contains(answer, "score") != (query == "?all=true") {
			t.Errorf("%s: %d %s", query, status, answer)
		}
	}
}

// nextTry is when a model is tried again.
var nextTry = regexp.MustCompile(`,"next_try":"[0-9T:.-]+Z"`)

// TestReadyWithKeywords: nobody takes keywords for the model by /readyz, unless allowed.
func TestReadyWithKeywords(t *testing.T) {
	for name, c := range map[string]struct {
		fallback error
		allow    bool
		status   int
		want     string
	}{
		"the model": {nil, false, 200, `{"status":"ready","model":"news@3","digest":"d1","source":"keywords"}`},
		"keywords":  {errors.New("no device"), false, 503, `{"status":"degraded","model":"news@3","digest":"d1","source":"keywords","reason":"no device"}`},
		"allowed":   {errors.New("no device"), true, 200, `{"status":"ready","model":"news@3","digest":"d1","source":"keywords","reason":"no device"}`},
	} {
		server, err := Open(t.Context(), Options{AllowKeywords: c.allow}, reload.Options{Source: fixed{classifier(t), c.fallback}})
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewServer(server.Handler())
		if status, answer, _ := ask(t, s, "GET", "/readyz", ""); status != 503 || !strings.Contains(answer, "starting") {
			t.Errorf("%s: before it serves: %d %s", name, status, answer)
		}
		server.ready.Store(true)
		if status, answer, _ := ask(t, s, "GET", "/readyz", ""); status != c.status || nextTry.ReplaceAllString(strings.TrimSpace(answer), "") != c.want || nextTry.MatchString(answer) != (c.fallback != nil) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if status, answer, _ := ask(t, s, "GET", "/readyz", "", "Host", "10.0.0.7"); status != c.status || strings.Contains(answer, "news") {
			t.Errorf("%s: a stranger is told %d %s", name, status, answer)
		}
		if status, _, _ := ask(t, s, "GET", "/v2/health/ready", ""); status != c.status {
			t.Errorf("%s: %d by the other protocol", name, status)
		}
		s.Close()
		server.Close()
	}
}
