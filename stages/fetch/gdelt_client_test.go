package fetch

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/stages"
)

// TestNoWayOut: where nothing ever answered, a failed dial ends at once, behind a proxy
// too; later failures are asked again, and told without the URL.
func TestNoWayOut(t *testing.T) {
	var log strings.Builder
	c := &client{env: stages.Env{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}
	for _, failed := range []error{dial, &net.OpError{Op: "proxyconnect", Net: "tcp", Err: dial}} {
		err := &url.Error{Op: "Get", URL: "https://host/a?long=query", Err: failed}
		if again, _ := c.checkRetry(t.Context(), nil, err); again {
			t.Errorf("%v is asked again before anything answered", err)
		}
		c.reached.Store(true)
		if again, _ := c.checkRetry(t.Context(), nil, err); !again {
			t.Errorf("%v is not asked again", err)
		}
		c.reached.Store(false)
	}
	if text := log.String(); strings.Contains(text, "long=query") || strings.Count(text, "refused") != 2 {
		t.Error(text)
	}
}
