package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// waiting is a model that answers when it is told to.
type waiting struct{ asked, answer chan struct{} }

func (m waiting) Predict(_ context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	m.asked <- struct{}{}
	<-m.answer
	out := make([]classify.Prediction, len(texts))
	for i := range out {
		out[i] = classify.Prediction{Scores: []float32{1}, Tags: []int32{0}}
	}
	return out, nil
}

// classifier knows the word fire.
func classifier(t *testing.T) *classify.Classifier {
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
func ask(t *testing.T, s *httptest.Server, method, path, body string, headers ...string) (status int, answer string, h http.Header) {
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
	return reply.StatusCode, string(b), reply.Header
}

const path = "/v1/classify"

// TestAnswersAreWhatTheyWere: the shapes of requests and of answers.
func TestAnswersAreWhatTheyWere(t *testing.T) {
	s := httptest.NewServer(New(classifier(t), Options{}).Handler())
	defer s.Close()
	fire := `"categories":{"fire":{"score":1,"tag":""}},"top":"fire","source":"keywords","model":null}`
	for _, c := range []struct {
		body, want string
		status     int
	}{
		{`{"id":"7","title":"Fire","extra":{"a":[1,{"b":null}]}}`, `{"id":"7",` + fire, 200},
		{`{"TITLE":"Fire","description":null}`, `{` + fire, 200},
		{`{"instances":[{"title":"Fire","x":[[]]},{"url":"u"},null]}`, `{"predictions":[{` + fire + `,{"url":"u","error":"no title"},{"error":"no title"}]}`, 200},
		{`{"instances":[]}`, `{"predictions":[]}`, 200},
		{`{"instances":null}`, `{"error":"no title"}`, 422},
		{`{}`, `{"error":"no title"}`, 422},
		{`{"title":1}`, "cannot unmarshal number", 400},
		{`{"instances":{}}`, "instances is no list", 400},
		{`[]`, "no object", 400},
		{`{"title":"Fire"`, "EOF", 400},
		{`{"instances":[{"title":"Fire"}`, "EOF", 400},
		{``, "EOF", 400},
		{`{"x":` + strings.Repeat("[", maxDepth+1), "nested", 400},
	} {
		status, answer, _ := ask(t, s, "POST", path, c.body)
		if status != c.status || !strings.Contains(answer, c.want) || status == 200 && strings.TrimSpace(answer) != c.want {
			t.Errorf("%s: %d %s, want %d %s", c.body, status, answer, c.status, c.want)
		}
	}
}

// TestRefusedWhileRead: a request that is too much is refused when that is known,
// not after it was decoded.
func TestRefusedWhileRead(t *testing.T) {
	for name, c := range map[string]struct {
		body      string
		read      int64
		instances int64
		message   string
	}{
		"instances":    {`{"instances":[` + strings.Repeat("{},", 2_790_000) + `{}]}`, 32 << 10, maxInstances, "1024 instances"},
		"a long text":  {`{"title":"` + strings.Repeat("a", 7<<20) + `"}`, 2*maxValue + 1024, 0, "1048576 bytes"},
		"a long item":  {`{"instances":[{"title":"a"},{"x":[` + strings.Repeat("1,", 3<<20) + `1]}]}`, 2*maxValue + 1024, 1, "1048576 bytes"},
		"many bytes":   {`{"x":[` + strings.Repeat("1,", 5<<20) + `1]}`, maxBody, 0, "8388608 bytes"},
		"long nothing": {`{` + strings.Repeat(" ", 7<<20) + `}`, 2*maxValue + 1024, 0, "1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			server := New(classifier(t), Options{})
			s := httptest.NewServer(server.Handler())
			defer s.Close()
			status, answer, _ := ask(t, s, "POST", path, c.body)
			if status != http.StatusRequestEntityTooLarge || !strings.Contains(answer, c.message) {
				t.Errorf("%d %s", status, answer)
			}
			if server.read.Load() > c.read || server.decoded.Load() != c.instances {
				t.Errorf("%d of %d bytes read, %d instances decoded", server.read.Load(), len(c.body), server.decoded.Load())
			}
			if server.held.Load() != 0 {
				t.Errorf("%d bytes are held", server.held.Load())
			}
		})
	}
}

// TestFull: what there is no room for is told to come again, and the others are
// answered.
func TestFull(t *testing.T) {
	c := classifier(t)
	model := waiting{make(chan struct{}, maxInFlight), make(chan struct{})}
	c.Model = model
	server := New(c, Options{})
	s := httptest.NewServer(server.Handler())
	defer s.Close()
	var clients sync.WaitGroup
	for range maxInFlight {
		clients.Go(func() {
			if status, answer, _ := ask(t, s, "POST", path, `{"title":"Fire"}`); status != 200 {
				t.Errorf("one of those before: %d %s", status, answer)
			}
		})
	}
	for range maxInFlight {
		<-model.asked
	}
	status, answer, h := ask(t, s, "POST", path, `{"title":"Fire"}`)
	if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("one too many: %d %s", status, answer)
	}
	if status, answer, _ = ask(t, s, "GET", "/healthz", ""); status != 200 {
		t.Errorf("healthz: %d %s", status, answer)
	}
	close(model.answer)
	clients.Wait()
	if len(server.slots) != 0 || server.held.Load() != 0 {
		t.Errorf("%d requests are in flight, %d bytes held", len(server.slots), server.held.Load())
	}
}

// TestMemoryIsShared: requests that are being read hold what they have sent, and
// one for which nothing is left is told to come again.
func TestMemoryIsShared(t *testing.T) {
	server := New(classifier(t), Options{})
	s := httptest.NewServer(server.Handler())
	defer s.Close()
	server.held.Store(maxHeld - 100)
	if status, answer, _ := ask(t, s, "POST", path, `{"title":"Fire"}`); status != 200 {
		t.Errorf("one that fits: %d %s", status, answer)
	}
	for _, body := range []string{`{"title":"` + strings.Repeat("a", 200) + `"}`, `{"instances":[{"title":"Fire"}]}`} {
		status, answer, h := ask(t, s, "POST", path, body)
		if status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
			t.Errorf("%d %s", status, answer)
		}
	}
	if held := server.held.Load(); held != maxHeld-100 {
		t.Errorf("%d bytes are held", held)
	}
}

// TestWhoMayAsk: strangers are refused before anything is read of what they send.
func TestWhoMayAsk(t *testing.T) {
	for name, c := range map[string]struct {
		options Options
		method  string
		path    string
		headers []string
		status  int
	}{
		"a program":              {Options{}, "POST", path, nil, 200},
		"localhost":              {Options{}, "POST", path, []string{"Host", "LocalHost.:8080"}, 200},
		"IPv6":                   {Options{}, "POST", path, []string{"Host", "[::1]:8080"}, 200},
		"rebound name":           {Options{}, "POST", path, []string{"Host", "evil.example"}, 421},
		"rebound name, metrics":  {Options{}, "GET", "/metrics", []string{"Host", "evil.example:8080"}, 421},
		"name like localhost":    {Options{}, "POST", path, []string{"Host", "localhost.evil.example"}, 421},
		"another address":        {Options{}, "POST", path, []string{"Host", "192.0.2.1"}, 421},
		"own name":               {Options{Hosts: []string{"news.example"}}, "POST", path, []string{"Host", "News.example:443"}, 200},
		"not its own name":       {Options{Hosts: []string{"news.example"}}, "POST", path, []string{"Host", "olds.example"}, 421},
		"cross-site":             {Options{}, "POST", path, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"same-site":              {Options{}, "POST", path, []string{"Sec-Fetch-Site", "same-site"}, 403},
		"cross-site, metrics":    {Options{}, "GET", "/metrics", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"same origin":            {Options{}, "POST", path, []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"typed by a person":      {Options{}, "GET", "/metrics", []string{"Sec-Fetch-Site", "none"}, 200},
		"origin":                 {Options{}, "POST", path, []string{"Origin", "http://evil.example"}, 403},
		"no origin":              {Options{}, "POST", path, []string{"Origin", "null"}, 403},
		"another port":           {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "http://localhost:2"}, 403},
		"own origin":             {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "http://localhost:1"}, 200},
		"own origin, behind TLS": {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "HTTPS://localhost:1"}, 200},
		"a file's origin":        {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "file://localhost:1"}, 403},
		"an extension's origin":  {Options{}, "POST", path, []string{"Host", "localhost:1", "Origin", "moz-extension://localhost:1"}, 403},
		"a form":                 {Options{}, "POST", path, []string{"Content-Type", "text/plain"}, 415},
		"no type":                {Options{}, "POST", path, []string{"Content-Type", ""}, 415},
		"a charset":              {Options{}, "POST", path, []string{"Content-Type", "application/json; charset=utf-8"}, 200},
		"compressed":             {Options{}, "POST", path, []string{"Content-Encoding", "gzip"}, 415},
		"a read":                 {Options{}, "GET", path, nil, 405},
		"token":                  {Options{Token: "s3cret"}, "POST", path, []string{"Authorization", "Bearer s3cret"}, 200},
		"no token":               {Options{Token: "s3cret"}, "POST", path, nil, 401},
		"half a token":           {Options{Token: "s3cret"}, "POST", path, []string{"Authorization", "Bearer s3c"}, 401},
		"another scheme":         {Options{Token: "s3cret"}, "POST", path, []string{"Authorization", "Basic s3cret"}, 401},
		"no token, metrics":      {Options{Token: "s3cret"}, "GET", "/metrics", nil, 401},
		"health":                 {Options{Token: "s3cret"}, "GET", "/healthz", []string{"Host", "10.0.0.7:8080"}, 200},
		"readiness":              {Options{Token: "s3cret"}, "GET", "/readyz", []string{"Host", "10.0.0.7:8080"}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			server := New(classifier(t), c.options)
			s := httptest.NewServer(server.Handler())
			defer s.Close()
			status, answer, _ := ask(t, s, c.method, c.path, `{"title":"Fire"}`, c.headers...)
			if status != c.status {
				t.Errorf("%d %s, want %d", status, answer, c.status)
			}
			if status != 200 && server.read.Load() != 0 {
				t.Errorf("%d bytes were read", server.read.Load())
			}
		})
	}
}

func TestLoopback(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "127.9.9.9:1": true, "localhost:1": true, ":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false} {
		addr, err := net.ResolveTCPAddr("tcp", listen)
		if err != nil {
			t.Fatal(err)
		}
		if Loopback(addr) != want {
			t.Errorf("%s: %v", listen, fmt.Sprint(addr))
		}
	}
}

// TestReadyWithKeywords: nobody takes keywords for the model by /readyz, unless allowed.
func TestReadyWithKeywords(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		want int
	}{
		"the model": {Options{}, 200}, "keywords": {Options{Fallback: errors.New("no device")}, 503},
		"allowed": {Options{Fallback: errors.New("no device"), AllowKeywords: true}, 200},
	} {
		server := New(classifier(t), c.o)
		server.ready.Store(true)
		s := httptest.NewServer(server.Handler())
		if status, answer, _ := ask(t, s, "GET", "/readyz", ""); status != c.want {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		s.Close()
	}
}
