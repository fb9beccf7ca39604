package servers

import (
	"io"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// proxy is a TCP proxy that breaks connections on demand.
type proxy struct {
	*toxiproxy.Proxy
	t testing.TB
}

// startProxy starts a proxy at listen, before upstream if need be.
func startProxy(t testing.TB, listen, upstream string) *proxy {
	t.Helper()
	s := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.New(io.Discard))
	p := toxiproxy.NewProxy(s, "p", listen, upstream)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return &proxy{p, t}
}

// add makes the network bad in one way, described in toxiproxy's JSON, and
// returns what ends it.
func (p *proxy) add(toxic string) (remove func()) {
	p.t.Helper()
	made, err := p.Toxics.AddToxicJson(strings.NewReader(toxic))
	if err != nil {
		p.t.Fatal(err)
	}
	return func() {
		if err := p.Toxics.RemoveToxic(p.t.Context(), made.Name); err != nil {
			p.t.Error(err)
		}
	}
}
