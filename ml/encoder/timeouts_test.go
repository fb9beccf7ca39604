package encoder_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/encoder"
)

// silentServer accepts every connection, reads one request, sends what say gives, and
// stays silent with the connection open.
func silentServer(t *testing.T, say string) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					fmt.Fprint(c, say)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestHubThatIsSilent: a server that accepts and says nothing, or stops in the middle,
// ends the wait with an error that says so.
func TestHubThatIsSilent(t *testing.T) {
	const half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"sha\":\""
	for name, c := range map[string]struct{ ref, say, want string }{
		"no answer":                    {"org/model", "", "does not answer for 100ms"},
		"a part of a header":           {"org/model", "HTTP/1.1 200 OK\r\nContent-", "does not answer for 100ms"},
		"a part of the revision":       {"org/model", half, "silent for 100ms"},
		"no answer to a file":          {"org/model@" + commit, "", "does not answer for 100ms"},
		"a part of a file and no more": {"org/model@" + commit, half, "config.json stopped at byte 8 of 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := encoder.Options{
				CacheDir: t.TempDir(), HubURL: silentServer(t, c.say), Token: func() string { return "" },
				AnswerTimeout: 100 * time.Millisecond, StallTimeout: 100 * time.Millisecond,
			}
			if c.say == half { // what begins to answer does so in time, on a machine at work too
				o.AnswerTimeout = 10 * time.Second
			}
			ended := make(chan error, 1)
			go func() { _, err := open(t, c.ref, o); ended <- err }()
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q in it", err, c.want)
				}
			case <-time.After(20 * time.Second):
				t.Error("still waiting")
			}
		})
	}
}

// TestHubThatIsSlow: an answer that takes longer than the limits, but never stops for as
// long, is taken.
func TestHubThatIsSlow(t *testing.T) {
	f := newFakeHub(t, tiny(t, "", "weight", "bias"))
	f.pause = 20 * time.Millisecond
	o := f.options(t)
	o.AnswerTimeout, o.StallTimeout = 300*time.Millisecond, 300*time.Millisecond
	began := time.Now()
	if _, err := open(t, "org/model", o); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < o.StallTimeout {
		t.Errorf("the download took %v, so nothing was slow", took)
	}
}
