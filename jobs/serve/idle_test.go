package serve

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"
)

// pipes is a listener whose connections are pipes: they take no open files.
type pipes struct{ conns chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	c, open := <-p.conns
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { close(p.conns); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// dial connects and sends the head of a request with a body of so many bytes.
func (p pipes) dial(t *testing.T, size int) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	p.conns <- server
	if _, err := fmt.Fprintf(client, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, size); err != nil {
		t.Fatal(err)
	}
	return client
}

// TestIdleBodies: thousands of requests that send little or nothing of what they
// announce keep nobody else from being answered.
func TestIdleBodies(t *testing.T) {
	const idle = 6000
	server, _ := serve(t, classifier(t), Options{})
	p := pipes{make(chan net.Conn)}
	h := &http.Server{Handler: server.Handler(), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(p) }()
	var clients []net.Conn
	for n := range idle {
		c := p.dial(t, int(server.o.Limits.Body))
		if n%2 == 0 {
			if _, err := io.WriteString(c, `{"title":`); err != nil {
				t.Fatal(err)
			}
		}
		clients = append(clients, c)
	}
	for server.open.Load() < idle {
		time.Sleep(time.Millisecond)
	}
	const body = `{"title":"Fire"}`
	c := p.dial(t, len(body))
	go func() { _, _ = io.WriteString(c, body) }() // its failure is that of the answer
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("beside %d idle requests: %d %s, %v", idle, answer.StatusCode, text, err)
	}
	for _, c := range append(clients, c) {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != http.ErrServerClosed {
		t.Error(err)
	}
}
