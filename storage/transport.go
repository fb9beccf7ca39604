package storage

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// stallLimit is how long a connection to a store may go without a byte in
// either direction before it counts as broken: a machine that vanished sends no
// reset. The slowest honest silence is a server that joins the parts of a big
// upload.
const stallLimit = 2 * time.Minute

// tune makes an HTTP transport fit for transfers: connections for all files in
// flight are kept, and those that stall are given up. One connection carries
// one request at a time, as a single one limits what all together move. hangUp
// ends all connections: clients wrap their transport so that nobody else can
// end those that it keeps for later.
func tune(t *http.Transport) (hangUp func()) {
	all := &conns{open: map[*stallConn]bool{}}
	t.MaxIdleConns = 2 * filesInFlight
	t.MaxIdleConnsPerHost = 2 * filesInFlight
	t.ForceAttemptHTTP2 = false
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
	return all.hangUp
}

// conns are the open connections of a transport.
type conns struct {
	mu   sync.Mutex
	open map[*stallConn]bool
}

func (a *conns) add(c net.Conn) *stallConn {
	s := &stallConn{c, a}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[s] = true
	return s
}

func (a *conns) hangUp() {
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
	of *conns
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
