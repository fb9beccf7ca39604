package servers

import (
	"net/http/httptest"
	"net/http/httputil"
	"testing"

	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestS3 and TestGCS run the whole suite, which also runs over file:// and
// mem:// in storagetest itself.
func TestS3(t *testing.T) {
	s := startS3(t)
	storagetest.RunStore(t, storagetest.URLs(func() string { return s.url(s.addr) }))
}

func TestGCS(t *testing.T) {
	s := startGCS(t, "")
	storagetest.RunStore(t, storagetest.URLs(func() string { return s.url(s.addr) }))
}

// TestRepublish counts what clients send by a proxy before the servers.
func TestRepublish(t *testing.T) {
	for name, start := range map[string]func(t testing.TB, front string) *server{
		"s3": func(t testing.TB, _ string) *server { return startS3(t) }, "gcs": startGCS,
	} {
		t.Run(name, func(t *testing.T) {
			var sent storagetest.Sent
			front := httptest.NewUnstartedServer(nil)
			addr := front.Listener.Addr().String()
			s := start(t, addr)
			front.Config.Handler = sent.Around(&httputil.ReverseProxy{
				// The name of the host is what clients signed, and stays.
				Rewrite: func(r *httputil.ProxyRequest) {
					r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", s.addr, r.In.Host
				},
			})
			front.Start()
			defer front.Close()
			storagetest.RunRepublish(t, s.url(addr), &sent)
		})
	}
}
