package serve

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// described is the document's routes, by which every answer in these tests is checked.
var described = sync.OnceValues(func() (routers.Router, error) {
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// checkDescribed fails unless the document says that a request may be answered so. What no
// path is for, or is asked by another method, it does not know.
func checkDescribed(t testing.TB, r *http.Request, status int, h http.Header, answer string) {
	t.Helper()
	router, err := described()
	if err != nil {
		t.Fatal(err)
	}
	u := *r.URL
	u.Scheme, u.Host = "", ""
	route, params, err := router.FindRoute(&http.Request{Method: r.Method, URL: &u})
	if err != nil {
		if status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s is answered with %d, and the document does not know it: %v", r.Method, r.URL.Path, status, err)
		}
		return
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 status, Header: h, Body: io.NopCloser(bytes.NewReader([]byte(answer))),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	if err := openapi3filter.ValidateResponse(t.Context(), in); err != nil {
		t.Errorf("%s %s: %d %.300s is not what the document says: %v", r.Method, r.URL.Path, status, answer, err)
	}
	if status < 500 && h.Get("X-Request-Id") == "" {
		t.Errorf("%s %s: the answer has no id", r.Method, r.URL.Path)
	}
}

// TestDocument: the document is one of OpenAPI 3.1 with its examples, knows every path that
// the server has and no other, and its examples are answered.
func TestDocument(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err == nil {
		err = doc.Validate(t.Context())
	}
	if err != nil || !doc.IsOpenAPI31OrLater() {
		t.Fatal(err)
	}
	server, s := serve(t, classifier(t), Options{})
	mine := map[string]bool{}
	for pattern := range server.routes() {
		method, path, _ := strings.Cut(pattern, " ")
		if path == "/v2/{$}" {
			continue // the same as /v2
		}
		path = strings.NewReplacer("{m}", "{model}", "{v}", "{version}", "{$}", "").Replace(path)
		mine[method+" "+path] = true
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !mine[method+" "+path] {
				t.Errorf("%s %s is described, and the server has it not", method, path)
			}
			delete(mine, method+" "+path)
			at := strings.NewReplacer("{model}", "news", "{version}", "3").Replace(path)
			if op.RequestBody == nil {
				if status, answer, _ := ask(t, s, method, at, ""); status != 200 {
					t.Errorf("%s: %d %s", at, status, answer)
				}
				continue
			}
			examples := op.RequestBody.Value.Content.Get("application/json").Examples
			if len(examples) == 0 {
				t.Errorf("%s has no example", path)
			}
			for name, example := range examples {
				body, err := json.Marshal(example.Value.Value)
				if err != nil {
					t.Fatal(err)
				}
				if status, answer, _ := ask(t, s, method, at, string(body)); status != 200 {
					t.Errorf("%s, example %s: %d %s", at, name, status, answer)
				}
			}
		}
	}
	for path := range mine {
		t.Errorf("%s is not described", path)
	}
}

// TestRequestID: the id of a request is that of the client if it is plain, else a new
// one, and stands in the answer.
func TestRequestID(t *testing.T) {
	_, s := serve(t, classifier(t), Options{})
	for id, kept := range map[string]bool{"7f/a-b_c.d:e": true, "": false, "a b": false, "a\"b": false, strings.Repeat("x", 129): false, strings.Repeat("x", 128): true} {
		_, _, h := ask(t, s, "GET", "/healthz", "", "X-Request-Id", id)
		if got := h.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("%q is answered with %q", id, got)
		}
	}
}
