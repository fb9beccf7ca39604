package servers

import (
	"io"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// startProxy starts a proxy at listen that makes the network to upstream bad in
// one way, described in toxiproxy's JSON, until the test ends. A toxic is never
// taken away: toxiproxy 2.5.0 can lock up over that under load.
func startProxy(t testing.TB, listen, upstream, toxic string) {
	t.Helper()
	s := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.New(io.Discard))
	p := toxiproxy.NewProxy(s, "p", listen, upstream)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	if toxic == "" {
		return
	}
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		t.Fatal(err)
	}
}
