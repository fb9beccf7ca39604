// Package access decides who may ask a server, and keeps what is asked:
//
//   - site.go: by which names a server is asked, and by pages of which sites
//   - tokens.go: bearer tokens, read again when they change
//   - certificate.go: a TLS certificate, read again when it changes
//   - log.go: request ids and a line for each request
package access

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Loopback reports whether only this machine reaches an address. An address
// without an IP is every one that the machine has.
func Loopback(a *net.TCPAddr) bool { return a.IP != nil && a.IP.IsLoopback() }

// KnownHost reports whether a request names this server: the loopback, the address that the
// client is connected to, or one of its further names. A browser sends requests to whatever
// address a page names, and to the loopback by a name of the page's own (DNS rebinding).
func KnownHost(r *http.Request, names []string) bool {
	host := hostname(r.Host)
	if slices.ContainsFunc(names, func(h string) bool { return hostname(h) == host }) || host == "localhost" {
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

// CrossSite reports whether a page of another site asks. Reading is refused as
// well as writing: here it computes.
func CrossSite(r *http.Request) bool {
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
