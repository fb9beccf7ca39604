//go:build e2e || soak

package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/serve/reload"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages/rows/titles"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

const (
	loadClients  = 50
	loadReleases = 3
)

// loadTimes are how long the load lasts, how often the alias moves and an instance is
// started anew, and how long the store is gone.
func loadTimes() (whole, swap, restart, gone time.Duration) {
	if jobstest.Tier == 2 {
		return 10 * time.Minute, 5 * time.Second, 20 * time.Second, time.Minute
	}
	return 16 * time.Second, 2 * time.Second, 5 * time.Second, 3 * time.Second
}

// publishTiny publishes a small model with weights of its own.
func publishTiny(t *testing.T, s *storage.Store, seed uint64) {
	t.Helper()
	e, err := encoder.Load(encodertest.Tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Categories: []bert.Category{{Name: "fire", Tags: []string{"", "big"}}, {Name: "money", Tags: []string{""}}}, Pooling: bert.Mean, HeadHidden: 4, MaxLength: 16, Text: []string{"title", "description"}}, seed)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"taxonomy.yaml":   "categories:\n  - name: fire\n    tags: [big]\n    rules: [{words: [fire], tag: big}]\n  - name: money\n    rules: [{words: [bank]}]\n",
		"thresholds.json": "{}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var entries []storage.TreeEntry
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.Put(t.Context(), bytes.NewReader(data), "application/octet-stream")
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, storage.TreeEntry{Path: file.Name(), Digest: a.Digest, Size: a.Size})
	}
	tree, err := s.PutTree(t.Context(), entries)
	if err == nil {
		_, err = models.In(s).Publish(t.Context(), "news", tree, []byte("{}"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// loadTexts are what clients ask: short and long ones, and some of a megabyte.
func loadTexts() []classify.Text {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func() string { return "w" + string(rune('a'+rng.IntN(2))) + string(rune('a'+rng.IntN(26))) }
	var out []classify.Text
	for n := range 60 {
		size := 1 + rng.IntN(20)
		if n%20 == 19 {
			size = 249_990 // a megabyte
		}
		words := make([]string, size)
		for i := range words {
			words[i] = word()
		}
		x := classify.Text{Title: strings.Join(words, " ")}
		if n%3 == 0 {
			x.Description = word() + " " + word()
		}
		out = append(out, x)
	}
	return out
}

// loadStore makes a store with releases, and what each of them answers.
func loadStore(t *testing.T, o answers.Options, texts []classify.Text) map[string][]classify.Answer {
	t.Helper()
	s, err := storage.Open(t.Context(), o.Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := map[string][]classify.Answer{}
	var normal []classify.Text
	for _, x := range texts {
		normal = append(normal, classify.Text{Title: titles.Normalize(x.Title), Description: x.Description})
	}
	for v := 1; v <= loadReleases; v++ {
		publishTiny(t, s, uint64(v))
		o.Ref = fmt.Sprintf("news@%d", v)
		c, _, done, err := answers.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if want[o.Ref], err = c.Classify(t.Context(), normal, true); err != nil {
			t.Fatal(err)
		}
		done()
	}
	if err := models.In(s).SetAlias(t.Context(), "news", "champion", 1); err != nil {
		t.Fatal(err)
	}
	return want
}

// target is an instance as its clients see it.
type target struct {
	address string
	ready   atomic.Int64 // when it said last that it is, in nanoseconds; 0: it is not
}

// follow asks /readyz again and again.
func (x *target) follow(ctx context.Context) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		began := time.Now()
		r, err := http.NewRequestWithContext(ctx, "GET", "http://"+x.address+"/readyz", nil)
		if err != nil {
			return
		}
		reply, err := client.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, reply.Body)
			reply.Body.Close()
		}
		if err == nil && reply.StatusCode == http.StatusOK {
			x.ready.Store(began.UnixNano())
		} else {
			x.ready.Store(0)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// fresh reports whether it was ready a moment ago.
func (x *target) fresh() bool { return time.Since(time.Unix(0, x.ready.Load())) < 500*time.Millisecond }

// slowly gives what it reads in small parts.
type slowly struct {
	in    io.Reader
	pause time.Duration
}

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(s.pause)
	return s.in.Read(p[:min(len(p), max(len(p)/8, 16))])
}

// load is what clients share.
type load struct {
	t       *testing.T
	targets []*target
	texts   []classify.Text
	bodies  [][]byte
	want    map[string][]classify.Answer

	answered, busy atomic.Int64
	mu             sync.Mutex
	by             map[string]int // answers by release
}

// client asks one text after the other until the context ends.
func (l *load) client(ctx context.Context, n int) {
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	slow := n%5 == 0
	http1 := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}
	defer http1.CloseIdleConnections()
	for ctx.Err() == nil {
		x := l.targets[rng.IntN(len(l.targets))]
		if !x.fresh() {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		i := rng.IntN(len(l.texts))
		var in io.Reader = bytes.NewReader(l.bodies[i])
		if slow && len(l.bodies[i]) < 1000 {
			in = slowly{in, 100 * time.Millisecond}
		}
		r, err := http.NewRequest("POST", "http://"+x.address+path, in)
		if err != nil {
			l.t.Error(err)
			return
		}
		r.Header.Set("Content-Type", "application/json")
		// A connection that lay idle may be closed while a request is under way: whoever says
		// that asking twice does no harm is asked again by another one. A new connection that
		// fails is a failure.
		r.Header.Set("Idempotency-Key", "any")
		reply, err := http1.Do(r)
		if err != nil {
			l.t.Errorf("client %d: %v", n, err)
			continue
		}
		var out io.Reader = reply.Body
		if slow {
			out = slowly{out, 20 * time.Millisecond}
		}
		body, err := io.ReadAll(out)
		reply.Body.Close()
		switch {
		case err != nil:
			l.t.Errorf("client %d: %v", n, err)
		case reply.StatusCode == http.StatusTooManyRequests && reply.Header.Get("Retry-After") != "":
			l.busy.Add(1)
			time.Sleep(200 * time.Millisecond)
		case reply.StatusCode != http.StatusOK:
			l.t.Errorf("client %d: %d %s", n, reply.StatusCode, body)
		default:
			l.check(i, body)
		}
	}
}

// check compares an answer with that of the release that gave it.
func (l *load) check(i int, body []byte) {
	var got answers.Answer
	if err := json.Unmarshal(body, &got); err != nil || got.Model == nil {
		l.t.Errorf("text %d: %s, %v", i, body, err)
		return
	}
	want, ok := l.want[*got.Model]
	if !ok || len(got.Categories) != len(want[i].Categories) {
		l.t.Errorf("text %d: %s", i, body)
		return
	}
	for name, s := range want[i].Categories {
		// Rounded to four digits, neighbours may differ by one of the last.
		if g := got.Categories[name]; math.Abs(g.Score-s.Score) > 1.5e-4 || g.Tag != s.Tag {
			l.t.Errorf("text %d, %s: %+v, want %+v", i, *got.Model, g, s)
		}
	}
	l.answered.Add(1)
	l.mu.Lock()
	l.by[*got.Model]++
	l.mu.Unlock()
}

// instance runs servers on one address, one after the other, each until its turn is over
// or the context ends.
func (l *load) instance(ctx context.Context, x *target, o answers.Options, turns <-chan struct{}) {
	for ctx.Err() == nil {
		s, err := Open(context.WithoutCancel(ctx), Options{Delay: 3 * time.Second, Drain: 20 * time.Second, Timeout: time.Minute}, reload.Options{Source: &reload.Reference{Options: o}, Poll: 500 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			l.t.Errorf("%s: %v", x.address, err)
			return
		}
		listener, err := net.Listen("tcp", x.address)
		if err != nil {
			l.t.Error(err)
			s.Close()
			return
		}
		serving, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(serving, listener, func() {}) }()
		select {
		case <-turns:
		case <-ctx.Done():
		}
		stop()
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) {
			l.t.Errorf("%s ends: %v", x.address, err)
		}
		s.Close()
	}
}

// loris sends a header byte by byte, and comes again when it is cut.
func loris(ctx context.Context, address string) {
	for ctx.Err() == nil {
		c, err := net.Dial("tcp", address)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := c.Write([]byte{"POST /v1/classify HTTP/1.1\r\nX: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"[i%50]}); err != nil {
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
		c.Close()
	}
}

// heap is what is in use after a collection.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// TestLoad: fifty clients, of which ten are slow, ask two instances that are started anew in
// turn, while the alias moves and the store is gone for a while: no answer is wrong, none
// fails but those that are told 429, and memory stays.
func TestLoad(t *testing.T) {
	whole, swap, restart, gone := loadTimes()
	o := answers.Options{Ref: "news@champion", Store: filepath.Join(t.TempDir(), "store"), Device: "go", Cache: encodertest.Cache(), Log: slog.New(slog.DiscardHandler)}
	l := &load{t: t, texts: loadTexts(), by: map[string]int{}}
	l.want = loadStore(t, o, l.texts)
	for _, x := range l.texts {
		body, err := json.Marshal(map[string]any{"title": x.Title, "description": x.Description, "all": true})
		if err != nil {
			t.Fatal(err)
		}
		l.bodies = append(l.bodies, body)
	}
	goroutines := runtime.NumGoroutine()
	ctx, stop := context.WithCancel(t.Context())
	var servers, clients sync.WaitGroup
	var turns []chan struct{}
	for range 2 {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		x, turn := &target{address: free.Addr().String()}, make(chan struct{})
		free.Close()
		l.targets, turns = append(l.targets, x), append(turns, turn)
		servers.Go(func() { l.instance(ctx, x, o, turn) })
	}
	asking, hush := context.WithTimeout(ctx, whole)
	defer hush()
	for _, x := range l.targets {
		servers.Go(func() { x.follow(ctx) })
		for range 5 {
			clients.Go(func() { loris(asking, x.address) })
		}
	}
	for n := range loadClients {
		clients.Go(func() { l.client(asking, n) })
	}
	s, err := storage.Open(t.Context(), o.Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	var there sync.Mutex // the store is
	until := func(every time.Duration, do func(n int)) {
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-asking.Done():
					return
				case <-time.After(every):
					do(n)
				}
			}
		})
	}
	until(swap, func(n int) {
		there.Lock()
		defer there.Unlock()
		if err := models.In(s).SetAlias(t.Context(), "news", "champion", (n+1)%loadReleases+1); err != nil {
			t.Error(err)
		}
	})
	until(restart, func(n int) {
		there.Lock() // an instance cannot start without its store
		turns[n%2] <- struct{}{}
		x := l.targets[n%2]
		for end := time.Now().Add(time.Minute); x.fresh() && time.Now().Before(end); { // it leaves
			time.Sleep(10 * time.Millisecond)
		}
		for end := time.Now().Add(time.Minute); !x.fresh() && time.Now().Before(end); { // and comes back
			time.Sleep(10 * time.Millisecond)
		}
		there.Unlock()
	})
	until(whole/2, func(int) {
		there.Lock()
		defer there.Unlock()
		if asking.Err() != nil {
			return
		}
		if err := os.Rename(o.Store, o.Store+".gone"); err != nil {
			t.Error(err)
		}
		select {
		case <-time.After(gone):
		case <-asking.Done():
		}
		if err := os.Rename(o.Store+".gone", o.Store); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(whole / 4)
	early := heap()
	<-asking.Done()
	late := heap()
	clients.Wait()
	stop()
	servers.Wait()
	s.Close()
	t.Logf("%d answers, %v, %d told 429; heap %.1f MiB early, %.1f late", l.answered.Load(), l.by, l.busy.Load(), early, late)
	if len(l.by) != loadReleases || l.answered.Load() < 10*int64(whole/time.Second) {
		t.Errorf("%d answers, by release %v", l.answered.Load(), l.by)
	}
	if late > 1.5*early+32 {
		t.Errorf("the heap grew from %.1f to %.1f MiB", early, late)
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines+5; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d at the start", runtime.NumGoroutine(), goroutines)
		}
	}
}
