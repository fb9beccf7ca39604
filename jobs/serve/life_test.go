package serve

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/reload"
)

// live runs a server on a listener; end asks it to end, and ended gives its error.
func live(t *testing.T, s *Server) (address string, end func(), ended <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	out, listening := make(chan error, 1), make(chan struct{})
	go func() { out <- s.Serve(ctx, l, func() { close(listening) }) }()
	<-listening
	return l.Addr().String(), end, out
}

// get asks by a client that is used once.
func get(t *testing.T, client *http.Client, method, url, body string) (status int, text string, h http.Header, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	reply, err := client.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer reply.Body.Close()
	if reply.Close { // the client takes the header away
		reply.Header.Set("Connection", "close")
	}
	b, err := io.ReadAll(reply.Body)
	return reply.StatusCode, string(b), reply.Header, err
}

// TestDrain: a server that is asked to end is not ready, takes requests for a while, ends
// those that are open, and cuts what goes on for too long.
func TestDrain(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		c := classifier(t)
		model := waiting{make(chan struct{}, 10), make(chan struct{})}
		c.Model = model
		s, err := Open(t.Context(), Options{Delay: 300 * time.Millisecond, Drain: 300 * time.Millisecond}, reload.Options{Source: fixed{c: c}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		address, end, ended := live(t, s)
		client := &http.Client{Transport: &http.Transport{}}
		open := make(chan string, 2)
		ask := func() {
			status, text, h, err := get(t, client, "POST", "http://"+address+path, `{"title":"Fire"}`)
			open <- fmt.Sprint(status, h.Get("Connection"), err != nil, strings.Contains(text, "fire"))
		}
		go ask()
		<-model.asked
		end()
		for begun := time.Now(); ; {
			status, text, _, err := get(t, client, "GET", "http://"+address+"/readyz", "")
			if err != nil || time.Since(begun) > time.Minute {
				t.Fatalf("it does not drain: %d %s, %v", status, text, err)
			}
			if status == 503 && strings.Contains(text, "draining") {
				break
			}
		}
		go ask() // while it drains
		if status, _, h, err := get(t, client, "GET", "http://"+address+"/healthz", ""); status != 200 || err != nil || h.Get("Connection") != "close" {
			t.Errorf("while it drains: %d, %v, %v", status, h, err)
		}
		if !stuck {
			close(model.answer)
			for range 2 {
				if got := <-open; !strings.HasPrefix(got, "200") || !strings.HasSuffix(got, "false true") {
					t.Errorf("a request that was open: %s", got)
				}
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		} else {
			if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it ends with %v", err)
			}
			for range 2 {
				if got := <-open; !strings.Contains(got, "true") {
					t.Errorf("a request that went on for too long: %s", got)
				}
			}
			close(model.answer)
		}
		if _, err := net.Dial("tcp", address); err == nil {
			t.Error("it still listens")
		}
		client.CloseIdleConnections()
		s.Close()
	}
}

// TestTLS: a server with a certificate speaks TLS, and no older than 1.2.
func TestTLS(t *testing.T) {
	made := httptest.NewUnstartedServer(nil) // it brings a certificate
	made.StartTLS()
	defer made.Close()
	roots := x509.NewCertPool()
	roots.AddCert(made.Certificate())
	s, err := Open(t.Context(), Options{TLS: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: made.TLS.Certificates}}, reload.Options{Source: fixed{c: classifier(t)}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	address, end, ended := live(t, s)
	for _, c := range []struct {
		most uint16
		ok   bool
	}{{tls.VersionTLS13, true}, {tls.VersionTLS12, true}, {tls.VersionTLS11, false}} {
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: c.most}}}
		status, text, _, err := get(t, client, "POST", "https://"+address+path, `{"title":"Fire"}`)
		if (err == nil && status == 200 && strings.Contains(text, "fire")) != c.ok {
			t.Errorf("TLS up to %x: %d %s, %v", c.most, status, text, err)
		}
		client.CloseIdleConnections()
	}
	if status, _, _, err := get(t, &http.Client{Transport: &http.Transport{}}, "GET", "http://"+address+"/healthz", ""); err == nil && status == 200 {
		t.Error("it answers without TLS")
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.Close()
}

// TestHeaderBombs: headers that are too many are refused, and what a client does wrong
// ends its own connection alone.
func TestHeaderBombs(t *testing.T) {
	s, err := Open(t.Context(), Options{}, reload.Options{Source: fixed{c: classifier(t)}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	address, end, ended := live(t, s)
	for name, c := range map[string]struct{ send, want string }{
		"many headers": {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("A: b\r\n", 20_000) + "\r\n", "431"},
		"two lengths":  {"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400"},
		"no host":      {"GET /v1/models HTTP/1.1\r\n\r\n", "400"},
		"no HTTP":      {"\x00\x01\x02\r\n\r\n", "400"},
		"a short body": {"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "422"},
		"a bad chunk":  {"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "400"},
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(conn, c.send) }() // its failure is that of the answer
		line, err := bufio.NewReader(conn).ReadString('\n')
		if !strings.Contains(line, " "+c.want+" ") {
			t.Errorf("%s: %q, %v", name, line, err)
		}
		conn.Close()
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.Close()
}
