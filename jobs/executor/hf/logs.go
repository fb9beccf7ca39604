package hf

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// quiet is how long the stream of a job that runs may say nothing before all that is kept
// has come: the hub repeats it at once, and then waits for more.
const quiet = 5 * time.Second

// maxLine bounds an event of the stream.
const maxLine = 1 << 20

// Logs copies what the job has printed until now.
func (p *Provider) Logs(ctx context.Context, h executor.Handle, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, hide, err := p.client.send(ctx, http.MethodGet, p.path(string(h), "logs"), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil
	}
	if err := p.client.check(resp.StatusCode, nil); err != nil {
		return err
	}
	enough := time.AfterFunc(quiet, func() { cancel(errQuiet) })
	defer enough.Stop()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue // a comment that keeps the connection, or the name of an event
		}
		enough.Reset(quiet)
		var event struct {
			Data string `json:"data"`
		}
		if json.Unmarshal([]byte(data), &event) != nil || strings.HasPrefix(event.Data, "===== Job started") {
			continue
		}
		if _, err := io.WriteString(w, hide.String(strings.TrimSuffix(event.Data, "\n"))+"\n"); err != nil {
			return err
		}
	}
	if context.Cause(ctx) != nil && !errors.Is(context.Cause(ctx), errQuiet) {
		return context.Cause(ctx)
	}
	return nil // a stream that breaks has said what it said
}

var errQuiet = errors.New("the stream says nothing more")
