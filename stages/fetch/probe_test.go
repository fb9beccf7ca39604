package fetch

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages"
)

// at is a Lookup of a time; what it has not is not asked for.
type at struct {
	stages.Lookup
	now     time.Time
	offline bool
}

func (a at) Now() time.Time { return a.now }
func (a at) Offline() bool  { return a.offline }

// TestGDELTProbe: one request for the newest window, in the machine's turn.
func TestGDELTProbe(t *testing.T) {
	tr := newTrial(t, GDELT{Until: "now", Days: 1})
	look := at{now: tr.now.Add(time.Hour)}
	p := tr.stage.o.GDELT.probe(t.Context(), look, tr.stage.pacer)
	if p.Err != nil || p.Found != "90 rows of 2026-03-10 06:00 to 2026-03-10 12:00 UTC" || tr.asks != 1 {
		t.Errorf("%+v after %d asks", p, tr.asks)
	}
	// The run that follows waits its turn.
	if _, _, err := tr.run(t); err != nil || tr.early > 0 {
		t.Errorf("%v: %d asks came too early", err, tr.early)
	}
	asks := tr.asks
	if p := tr.stage.o.GDELT.probe(t.Context(), at{now: tr.now, offline: true}, tr.stage.pacer); p.Untried == "" || tr.asks != asks {
		t.Errorf("offline: %+v after %d more asks", p, tr.asks-asks)
	}
}

func TestGDELTProbeFails(t *testing.T) {
	for _, c := range []struct {
		text string
		fail func(http.ResponseWriter, *http.Request) bool
		held time.Duration // at least, before the next ask
	}{
		{"throttled: " + throttleText, say(429, throttleText), firstBackoff},
		{"unexpected EOF", cutGzip, firstBackoff},
		{"Invalid/Unsupported Country.", say(200, "Invalid/Unsupported Country."), 0},
	} {
		tr := newTrial(t, GDELT{Until: "now", Days: 1})
		tr.faults = append(tr.faults, c.fail)
		before := tr.now
		p := tr.stage.o.GDELT.probe(t.Context(), at{now: tr.now}, tr.stage.pacer)
		if p.Err == nil || !strings.Contains(p.Err.Error(), c.text) || tr.asks != 1 {
			t.Errorf("%s: %+v after %d asks", c.text, p, tr.asks)
		}
		if _, _, err := tr.run(t); err != nil || tr.early > 0 {
			t.Errorf("%s: %v, %d early", c.text, err, tr.early)
		}
		if waited := tr.now.Sub(before); waited < c.held {
			t.Errorf("%s: the next ask came after %s", c.text, waited)
		}
	}
	tr := newTrial(t, GDELT{Until: "now", Days: 1})
	tr.server.Close()
	if p := tr.stage.o.GDELT.probe(t.Context(), at{now: tr.now}, tr.stage.pacer); p.Err == nil || !strings.Contains(p.Err.Error(), "cannot be reached") {
		t.Errorf("no server: %+v", p)
	}
}

func TestProbeFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rows.jsonl")
	if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, "file://" + file} {
		if n, err := probeFile(t.Context(), path); n != 3 || err != nil {
			t.Errorf("%s: %d bytes, %v", path, n, err)
		}
	}
	for _, path := range []string{dir, file + "x", "file://" + file + "x", "file://" + dir + "x/rows.jsonl"} {
		if n, err := probeFile(t.Context(), path); err == nil {
			t.Errorf("%s: %d bytes", path, n)
		}
	}
}
