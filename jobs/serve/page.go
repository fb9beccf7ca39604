package serve

import (
	"crypto/sha256"
	_ "embed" // of the page and the document
	"encoding/base64"
	"net/http"
	"strings"
)

// tryPage is a page to try a text; it asks for nothing but itself and the model.
//
//go:embed page.html
var tryPage string

// document describes the API in OpenAPI 3.1.
//
//go:embed openapi.json
var document []byte

// page answers GET /. Where tokens are demanded there is none: a browser does not send one
// by itself, and a page that asks people for a server's token teaches them to hand it out.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if s.o.Tokens != nil {
		s.fail(w, r, refuse(http.StatusNotFound, "where tokens are demanded there is no page to try a text; /openapi.json says what there is"))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write([]byte(tryPage))
}

// pagePolicy lets the page run its own script and style, by their digests, and ask its own
// server; nothing else, and no page may frame it.
var pagePolicy = "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src '" +
	digestOf("script") + "'; style-src '" + digestOf("style") + "'"

// digestOf is the digest of what stands in an element of the page.
func digestOf(element string) string {
	_, text, _ := strings.Cut(tryPage, "<"+element+">")
	text, _, _ = strings.Cut(text, "</"+element+">")
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// openapi answers GET /openapi.json.
func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document)
}
