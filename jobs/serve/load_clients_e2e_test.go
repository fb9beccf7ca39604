//go:build e2e || soak

package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/serve/reload"
	"github.com/sprint-ml/sprint/ml/classify"
)

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

	answered, busy  atomic.Int64
	moves, restarts atomic.Int64
	mu              sync.Mutex
	by              map[string]int // answers by release
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
	// Whoever asks /readyz must have left when no more requests are taken.
	delay := 3 * time.Second
	if jobstest.Tier == 2 {
		delay = 10 * time.Second
	}
	for ctx.Err() == nil {
		s, err := Open(context.WithoutCancel(ctx), Options{Delay: delay, Drain: 20 * time.Second, Timeout: time.Minute}, reload.Options{Source: &reload.Reference{Options: o}, Poll: 500 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
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
