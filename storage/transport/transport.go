// Package transport is how the clients of stores reach their servers: HTTP/1.1 over
// connections that are kept, given up when they stall, and ended with their bucket; and
// what their errors mean in few words.
package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stallLimit is how long a connection to a store may go without a byte in
// either direction before it counts as broken: a machine that vanished sends no
// reset. The slowest honest silence is a server that joins the parts of a big
// upload.
const stallLimit = 2 * time.Minute

// Tune makes an HTTP transport fit for transfers: as many connections as are named
// are kept, and those that stall are given up. One connection carries one request at
// a time, as a single one limits what all together move.
func Tune(t *http.Transport, kept int) *Connections {
	all := &Connections{open: map[*stallConn]bool{}}
	t.MaxIdleConns = kept
	t.MaxIdleConnsPerHost = kept
	// A clone of a transport that could speak HTTP/2 goes on offering it, and
	// then cannot read the answer.
	t.ForceAttemptHTTP2, t.Protocols = false, new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	if t.TLSClientConfig != nil {
		t.TLSClientConfig.NextProtos = nil
	}
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return all.add(c), nil
	}
	return all
}

// SameServer lets a client follow a redirect that keeps the request as it is, and only
// to the server that it asked: the request has credentials, and perhaps an object, with
// it. Amazon leads from one of its servers to another.
func SameServer(req *http.Request, via []*http.Request) error {
	from, status := via[0].URL, req.Response.StatusCode
	amazon := func(u *url.URL) bool { return u.Scheme == "https" && strings.HasSuffix(u.Host, ".amazonaws.com") }
	same := req.URL.Scheme == from.Scheme && req.URL.Host == from.Host || amazon(from) && amazon(req.URL)
	if !same || len(via) > maxRedirects || status != http.StatusTemporaryRedirect && status != http.StatusPermanentRedirect {
		return http.ErrUseLastResponse
	}
	return nil
}

const maxRedirects = 3

// Connections are the open connections of a transport. Clients wrap it, so that
// nobody else could end those that it keeps for later.
type Connections struct {
	mu      sync.Mutex
	open    map[*stallConn]bool
	reached bool // there was one
}

// Unreachable reports whether a client never reached a server and the next half
// second will not change that: nobody listens there, or there is no such host.
// A server that was there may be on its way back.
func (a *Connections) Unreachable(err error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	var name *net.DNSError
	return !a.reached && (errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &name) && name.IsNotFound)
}

func (a *Connections) add(c net.Conn) *stallConn {
	s := &stallConn{c, a}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[s], a.reached = true, true
	return s
}

// CloseAll ends all connections.
func (a *Connections) CloseAll() {
	a.mu.Lock()
	open := a.open
	a.open = map[*stallConn]bool{}
	a.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close() // nothing is on its way
	}
}

// stallConn fails when nothing has moved for stallLimit. A write also gives
// time to the read that waits beside it: the reply to a long request comes
// after it.
type stallConn struct {
	net.Conn
	of *Connections
}

func (c *stallConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (c *stallConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stallLimit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *stallConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(stallLimit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
