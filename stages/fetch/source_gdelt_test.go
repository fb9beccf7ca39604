package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// replay is GDELT on a virtual clock: a token every 5 s, and planned faults.
type replay struct {
	mu     sync.Mutex
	now    time.Time
	last   time.Time
	every  time.Duration // one article each
	faults []func(http.ResponseWriter, *http.Request) bool
	asks   int
	early  int // asks before the token was there
	spans  []string
}

const throttleText = "Please limit requests to one every 5 seconds or contact kalev.leetaru5@gmail.com for larger queries."

func (r *replay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asks++
	if req.Header.Get("User-Agent") != userAgent {
		http.Error(w, throttleText, 429)
		return
	}
	if !r.last.IsZero() && r.now.Sub(r.last) < 5*time.Second {
		r.early++
		http.Error(w, throttleText, 429)
		return
	}
	r.last = r.now
	if len(r.faults) > 0 {
		fault := r.faults[0]
		r.faults = r.faults[1:]
		if fault(w, req) {
			return
		}
	}
	from, _ := time.Parse(gdeltTime, req.FormValue("startdatetime"))
	to, _ := time.Parse(gdeltTime, req.FormValue("enddatetime"))
	r.spans = append(r.spans, req.FormValue("startdatetime")+"-"+req.FormValue("enddatetime"))
	var list []string
	for at := from.Truncate(r.every); !at.After(to) && len(list) < pageRows; at = at.Add(r.every) {
		if at.Before(from) {
			continue
		}
		n := at.Unix()
		list = append(list, fmt.Sprintf(`{"url":"http://x/%d","title":"Story %d : s \q`+"\x01"+` end","seendate":"%s","domain":"d%d.se","language":"Swedish"}`, n, n, at.Format("20060102T150405Z"), n/int64(r.every.Seconds())%4))
	}
	body := `{"articles":[` + strings.Join(list, ",") + `]}`
	if len(list) == 0 {
		body = "{}"
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
}

func say(status int, text string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
		return true
	}
}

func cutGzip(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Encoding", "gzip")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, `{"articles":[{"url":"http://x"}]}`)
	_ = z.Close()
	_, _ = w.Write(b.Bytes()[:b.Len()-12])
	return true
}

// folderPoints keeps checkpoints in a folder.
type folderPoints struct {
	dir  string
	step int64
}

func (f *folderPoints) Save(_ context.Context, step int64, dir string) error {
	f.step = step
	if err := os.RemoveAll(f.dir); err != nil {
		return err
	}
	return os.CopyFS(f.dir, os.DirFS(dir))
}

func (f *folderPoints) Restore(_ context.Context, dir string, _ func(int64) error) (int64, error) {
	if f.step == 0 {
		return 0, storage.ErrNotFound
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(f.dir, e.Name()))
		if err != nil {
			return 0, err
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), data, 0o644); err != nil {
			return 0, err
		}
	}
	return f.step, nil
}

// memTree is a TreeWriter in memory.
type memTree struct{ files map[string]*memFile }
type memFile struct{ bytes.Buffer }

func (*memFile) Commit() error { return nil }
func (*memFile) Abort()        {}
func (m *memTree) Create(p string) (stages.Writer, error) {
	m.files[p] = &memFile{}
	return m.files[p], nil
}
func (*memTree) Commit() error { return nil }
func (*memTree) Abort()        {}

type trial struct {
	*replay
	stage  *stage
	points *folderPoints
	server *httptest.Server
	log    bytes.Buffer
	notes  map[string]any
}

func newTrial(t *testing.T, g GDELT) *trial {
	tr := &trial{replay: &replay{now: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC), every: 4 * time.Minute}, notes: map[string]any{}}
	tr.server = httptest.NewServer(tr.replay)
	t.Cleanup(tr.server.Close)
	g.Query, g.Endpoint, g.Pace = "sourcecountry:SW", tr.server.URL, 5*time.Second
	if g.Window == 0 {
		g.Window = 6 * time.Hour
	}
	if g.Rows == 0 {
		g.Rows = 100000
	}
	tr.points = &folderPoints{dir: filepath.Join(t.TempDir(), "points")}
	tr.stage = &stage{o: &Options{Source: sourceGDELT, GDELT: g}, env: stages.Env{
		External: stages.External{"since": "20260308000000", "until": "20260310000000"}, CacheDir: t.TempDir(), Scratch: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(&tr.log, nil)), Progress: func(stages.Progress) {}, Note: func(n string, v any) { tr.notes[n] = v },
		Checkpoints: tr.points,
	}}
	tr.stage.pacer = newPacer(tr.stage.env.CacheDir, g.Pace)
	tr.stage.pacer.now = func() time.Time { tr.mu.Lock(); defer tr.mu.Unlock(); return tr.now }
	tr.stage.pacer.sleep = func(ctx context.Context, d time.Duration) error {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.now = tr.now.Add(d)
		return ctx.Err()
	}
	return tr
}

func (tr *trial) run(t *testing.T) (*memTree, counts, error) {
	raw := &memTree{files: map[string]*memFile{}}
	table, err := tr.stage.gdelt(t.Context(), raw)
	y, _ := tr.notes["yield"].(counts)
	if err == nil && len(table.Rows) != y.Got {
		t.Errorf("%d rows, yield %+v", len(table.Rows), y)
	}
	return raw, y, err
}

func TestGDELTFinishesEveryWindow(t *testing.T) {
	tr := newTrial(t, GDELT{})
	tr.faults = []func(http.ResponseWriter, *http.Request) bool{
		say(200, throttleText), say(429, "slow"), cutGzip, say(502, "<html><b>Bad</b> gateway</html>"), say(200, `{"articles":[{"url"`),
	}
	start := tr.now
	raw, y, err := tr.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if y.Got != 720 || y.Missing != 0 || y.Windows != 8 || y.Mended != 1440 || len(raw.files) != 8 {
		t.Errorf("%+v with %d pages", y, len(raw.files))
	}
	if tr.early != 0 {
		t.Errorf("%d of %d asks came too early", tr.early, tr.asks)
	}
	if waited := tr.now.Sub(start); waited < 2*time.Minute {
		t.Errorf("backed off only %s after five faults", waited)
	}
	// A second attempt asks nothing again.
	asks := tr.asks
	tr.stage.env.Scratch = t.TempDir()
	again, _, err := tr.run(t)
	if err != nil || tr.asks != asks || len(again.files) != 8 {
		t.Errorf("%v: %d more asks", err, tr.asks-asks)
	}
}

func TestGDELTRate(t *testing.T) {
	tr := newTrial(t, GDELT{})
	tr.every = 90 * time.Second // 240 rows in 6 h, one page each
	start := tr.now
	_, y, err := tr.run(t)
	if err != nil {
		t.Fatal(err)
	}
	// The first ask is free: n asks take (n-1) paces. 48 rows/s would be 240 per 5 s.
	rate := float64(y.Got) / (tr.now.Sub(start) + 5*time.Second).Seconds()
	if rate < 0.95*48 || tr.early > 0 {
		t.Errorf("%.1f rows/s, %d early", rate, tr.early)
	}
}

func TestGDELTHalvesFullWindows(t *testing.T) {
	tr := newTrial(t, GDELT{})
	tr.every = time.Minute // 360 rows in 6 h: cut at 250
	_, y, err := tr.run(t)
	if err != nil || y.Got != 48*60 || y.CutOff != 0 || y.Windows != 16 {
		t.Errorf("%v %+v", err, y)
	}
}

func TestGDELTCaps(t *testing.T) {
	tr := newTrial(t, GDELT{MaxPerDomain: 10})
	if _, y, err := tr.run(t); err != nil || y.Got != 40 || y.Capped != 680 {
		t.Errorf("%v %+v", err, y)
	}
	tr = newTrial(t, GDELT{Rows: 100})
	if _, y, err := tr.run(t); err != nil || y.Got != 100 || tr.asks != 2 {
		t.Errorf("%v %+v %d asks", err, y, tr.asks)
	}
}

func TestGDELTRefusals(t *testing.T) {
	for _, text := range []string{"Your query was too short or too long.", "Timespan is too short.", "Invalid/Unsupported Country.",
		"Queries containing OR'd terms must be surrounded by ()", "Parentheses may only be used around OR'd statements", "phrase too short"} {
		tr := newTrial(t, GDELT{})
		tr.faults = append(tr.faults, say(200, text+"\n"))
		_, _, err := tr.run(t)
		var f *stages.Failure
		if !errors.As(err, &f) || f.Lost || !strings.Contains(err.Error(), text) || tr.asks != 1 {
			t.Errorf("%q: %v after %d asks", text, err, tr.asks)
		}
	}
}

func TestGDELTNoAnswer(t *testing.T) {
	tr := newTrial(t, GDELT{})
	tr.server.Close()
	_, _, err := tr.run(t)
	var f *stages.Failure
	if !errors.As(err, &f) || !f.Lost || f.Code != stages.CodeEnvironment || f.Hint == "" {
		t.Errorf("no network: %v", err)
	}
	tr = newTrial(t, GDELT{MaxMissing: 0.2})
	for range maxTries {
		tr.faults = append(tr.faults, say(503, "down"))
	}
	if _, y, err := tr.run(t); err != nil || y.Missing != 1 || y.Got != 630 {
		t.Errorf("one window down: %v %+v", err, y)
	}
}

// TestGDELTRedirects: what is asked for is asked at no other server, nor out of TLS.
func TestGDELTRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another port of the host was asked") }))
	defer other.Close()
	for _, to := range []string{"http://example.invalid/", other.URL} {
		tr := newTrial(t, GDELT{})
		tr.faults = append(tr.faults, func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, to, http.StatusFound)
			return true
		})
		if _, _, err := tr.run(t); err == nil || !strings.Contains(err.Error(), "redirected") {
			t.Errorf("redirect to %s: %v", to, err)
		}
	}
	for _, c := range []struct {
		from, to string
		followed bool
	}{
		{"https://h/a", "https://h/b", true},
		{"https://h/a", "https://h:443/b", true},
		{"http://h/a", "https://h/b", true},
		{"https://h/a", "http://h/b", false},
		{"https://h/a", "http://h:443/b", false},
		{"https://h/a", "https://h:8443/b", false},
		{"http://h/a", "http://h:22/b", false},
		{"http://h:8080/a", "https://h/b", false},
		{"https://h/a", "https://sub.h/b", false},
		{"https://h/a", "ftp://h/b", false},
	} {
		from, err := http.NewRequest(http.MethodGet, c.from, nil)
		if err != nil {
			t.Fatal(err)
		}
		to, err := http.NewRequest(http.MethodGet, c.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameServer(to, []*http.Request{from}); (err == nil) != c.followed {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
}
