//go:build e2e

package serve

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/serve/reload"
)

// TestSlowToSend: who sends a header byte by byte is cut, who does not send the body that was
// announced is told so, both in bounded time, and meanwhile others are answered.
func TestSlowToSend(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{}, reload.Options{Source: fixed{c: classifier(t)}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	address, end, ended := live(t, s)
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var all sync.WaitGroup
	header := dial()
	all.Go(func() {
		defer header.Close()
		began := time.Now()
		for time.Since(began) < time.Minute {
			if _, err := io.WriteString(header, "x"); err != nil {
				break // it was cut
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took < headerTime-time.Second || took > headerTime+10*time.Second {
			t.Errorf("a slow header was cut after %v", took)
		}
	})
	body := dial()
	all.Go(func() {
		defer body.Close()
		began := time.Now()
		if _, err := fmt.Fprintf(body, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"title\":", path); err != nil {
			t.Error(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(body), nil)
		if err != nil {
			t.Error(err)
			return
		}
		text, err := io.ReadAll(answer.Body)
		if took := time.Since(began); err != nil || answer.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), "not sent in time") || !answer.Close || took > bodyTime+10*time.Second {
			t.Errorf("a slow body: %d %s after %v, %v", answer.StatusCode, text, took, err)
		}
	})
	for range 20 {
		if status, text, _, err := get(t, http.DefaultClient, "POST", "http://"+address+path, `{"title":"Fire"}`); status != http.StatusOK || err != nil {
			t.Errorf("beside them: %d %s, %v", status, text, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	all.Wait()
	if held := s.budget.Held(); held != 0 {
		t.Errorf("%d bytes are held", held)
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.Close()
}
