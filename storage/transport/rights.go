package transport

import "net/http"

// WithoutRights adds a token that nobody was given.
type WithoutRights struct{ Next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (w WithoutRights) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer sprint-denied")
	return w.Next.RoundTrip(r)
}
