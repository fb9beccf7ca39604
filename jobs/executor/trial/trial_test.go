package trial

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// TestParse: only whole findings are read of a log, in bounds, and none of them moves a
// terminal's cursor.
func TestParse(t *testing.T) {
	good := Finding{What: "disk", State: OK, Text: "room", At: time.Unix(1, 0).UTC()}
	log := "a motd\n2026-01-02T03:04:05Z " + string(good.line()) + mark + `{"what":"x","state":"fine"}` + "\n" + mark + "{\n" +
		mark + `{"what":"store","state":"bad","text":"a\u001b[2Jb` + strings.Repeat("c", 3*maxText) + `"}` + "\n"
	found := Parse(strings.NewReader(log))
	if len(found) != 2 || found[0] != good {
		t.Fatalf("found %+v", found)
	}
	if text := found[1].Text; !strings.HasPrefix(text, "a [2Jbc") || len(text) > maxText {
		t.Errorf("text of %d bytes: %.20q", len(text), text)
	}
	if found := Parse(bytes.NewReader(bytes.Repeat(good.line(), 5000))); len(found) != maxFindings {
		t.Errorf("%d findings of 5000", len(found))
	}
}

func TestClock(t *testing.T) {
	at := time.Unix(1e9, 0)
	span := func(from, to time.Duration) Span { return Span{at.Add(from), at.Add(to)} }
	for _, c := range []struct {
		there, other Span
		state        State
		text         string
	}{
		{span(0, time.Second), span(time.Second, 2*time.Second), OK, "agrees"},
		{span(0, time.Hour), span(time.Minute, time.Minute), OK, "agrees"},
		{span(0, time.Second), span(-11*time.Second, -10*time.Second), OK, "agrees"},
		{span(0, 0), span(-12*time.Second, -11*time.Second), Missing, "11s ahead of"},
		{span(0, 0), span(time.Hour, 2*time.Hour), Bad, "1h0m0s behind"},
	} {
		if f := Clock(c.there, c.other, "another"); f.State != c.state || !strings.Contains(f.Text, c.text) {
			t.Errorf("%v and %v: %s %q", c.there, c.other, f.State, f.Text)
		}
	}
}

// TestWorker: a secret that is missing is told, the value of one that is there is not, and
// what nobody waits for is no store to use.
func TestWorker(t *testing.T) {
	dir := t.TempDir()
	open := func(ctx context.Context) (*storage.Store, error) { return storage.Open(ctx, dir, nil) }
	var said bytes.Buffer
	w := Worker{
		Nonce: "n", Open: open, Folders: []string{t.TempDir()}, Secrets: []string{"THERE", "GONE"}, Out: &said,
		Getenv: func(name string) string { return map[string]string{"THERE": "s3cret-value"}[name] },
		Checks: []Check{{"own", func(context.Context) []Finding {
			return []Finding{{What: "own", State: Bad, Text: "with s3cret-value", Fix: "unset s3cret-value"}}
		}}},
	}
	if code := w.Work(t.Context()); code != 4 {
		t.Errorf("code %d", code)
	}
	text := said.String()
	for _, want := range []string{`"GONE is not set there"`, `"THERE set there"`, "nobody waits for this answer", `"what":"own"`, `"what":"end"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "s3cret") {
		t.Error(text)
	}
	s, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Stat(t.Context(), Key("n")); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("findings that nobody waits for are stored: %v", err)
	}
}
