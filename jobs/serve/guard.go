package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Options say who may ask.
type Options struct {
	// Hosts are names by which clients reach the server, beside the loopback's and
	// the address that a client is connected to.
	Hosts []string
	// Token is demanded as a bearer token; empty demands none.
	Token string
	// Fallback is why keywords answer in the place of the model; nil if the model does.
	// Then /readyz is 503, so that nobody takes one for the other, unless AllowKeywords.
	Fallback      error
	AllowKeywords bool
}

// Loopback reports whether only this machine reaches an address. An address
// without an IP is every one that the machine has.
func Loopback(a *net.TCPAddr) bool { return a.IP != nil && a.IP.IsLoopback() }

// guard refuses who may not ask before anything is read of the request. A browser
// sends requests to whatever address a page names, and to the loopback by a name
// of the page's own (DNS rebinding).
func (s *Server) guard(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !s.knowsHost(r):
			s.fail(w, http.StatusMisdirectedRequest, "this server is not known by the name that was asked; `sprint serve --host NAME` adds one")
		case crossSite(r):
			s.fail(w, http.StatusForbidden, "pages of other sites may not ask")
		case !s.authorized(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.fail(w, http.StatusUnauthorized, "send the server's token: Authorization: Bearer TOKEN")
		default:
			next(w, r)
		}
	})
}

// knowsHost reports whether a request names this server.
func (s *Server) knowsHost(r *http.Request) bool {
	host := hostname(r.Host)
	if slices.ContainsFunc(s.options.Hosts, func(h string) bool { return hostname(h) == host }) || host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap().WithZone("") == ip.Unmap().WithZone("")
}

// hostname is the name in HOST or HOST:PORT, in the form in which names compare.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// crossSite reports whether a page of another site asks. Reading is refused as
// well as writing: here it computes.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	scheme, host, _ := strings.Cut(origin, "://")
	// A file is of no site, whatever host its address has.
	web := strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")
	return origin != "" && (!web || !strings.EqualFold(host, r.Host))
}

// authorized reports whether a request has the token. Digests are compared, so
// that the time tells neither the token nor its length.
func (s *Server) authorized(r *http.Request) bool {
	if s.options.Token == "" {
		return true
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(s.options.Token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// isJSON reports whether a request says that it is plain JSON, which a page of
// another site cannot say without asking first.
func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	encoding := h.Get("Content-Encoding")
	return err == nil && kind == "application/json" && (encoding == "" || encoding == "identity")
}
