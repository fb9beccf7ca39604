package reload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/taxonomy"
)

// numbered is a model whose score is its version's; it takes a second for a batch.
type numbered struct {
	score  float32
	closed *atomic.Bool
	t      *testing.T
}

func (numbered) Tokens(classify.Text) int { return 1 }

func (m numbered) Predict(_ context.Context, texts []classify.Text) ([]classify.Prediction, error) {
	time.Sleep(time.Second)
	if m.closed.Load() {
		m.t.Error("a model is asked that was closed")
	}
	out := make([]classify.Prediction, len(texts))
	for i := range out {
		out[i] = classify.Prediction{Scores: []float32{m.score}, Tags: []int32{0}}
	}
	return out, nil
}

// versions is a source whose reference names a version that the test sets.
type versions struct {
	t *testing.T

	mu       sync.Mutex
	now      int
	gone     error         // of Resolve
	damaged  map[int]error // of Open
	keywords map[int]bool  // that this machine cannot run
	nan      map[int]bool
	opened   map[int]int
	open     map[int]*atomic.Bool // closed or not, by version
}

func (s *versions) Resolve(context.Context) (Release, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Release{"news", s.now, fmt.Sprintf("digest-%d", s.now)}, s.gone
}

func (s *versions) Open(_ context.Context, r Release, strict bool) (Opened, error) {
	time.Sleep(3 * time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened[r.Version]++
	if err := s.damaged[r.Version]; err != nil {
		return Opened{}, err
	}
	tax, _ := taxonomy.Parse([]byte("categories:\n  - name: fire\n    rules: [{words: [fire]}]\n"))
	c := classify.New(tax)
	c.Thresholds, c.Name = []float64{0}, r.String()
	closed := new(atomic.Bool)
	s.open[r.Version] = closed
	o := Opened{Classifier: c, Close: func() {
		if closed.Swap(true) {
			s.t.Errorf("%s is closed twice", r)
		}
	}}
	if s.keywords[r.Version] {
		o.Fallback = errors.New("no device")
		if strict {
			return Opened{}, o.Fallback
		}
		return o, nil
	}
	m := numbered{float32(r.Version) / 10, closed, s.t}
	if s.nan[r.Version] {
		m.score = float32(math.NaN())
	}
	c.Model = m
	return o, nil
}

func (s *versions) name(v int, gone error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.gone = v, gone
}

// tried is how often a version was opened.
func (s *versions) tried(v int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened[v]
}

// freed reports whether the last opened model of a version was closed.
func (s *versions) freed(v int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[v].Load()
}

// TestSwap: what comes to be named answers, without a failed request; what cannot answer
// does not, is told by its digest, and is tried again ever less often.
func TestSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &versions{t: t, now: 1, damaged: map[int]error{3: errors.New("blob 3f is damaged")}, keywords: map[int]bool{5: true}, nan: map[int]bool{4: true}, opened: map[int]int{}, open: map[int]*atomic.Bool{}}
		k, err := Open(t.Context(), Options{Source: s, Poll: 5 * time.Second, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { k.Watch(ctx) })
		answered := map[string]int{}
		for client := range 3 { // they ask without pause
			all.Go(func() {
				time.Sleep(time.Duration(client) * 300 * time.Millisecond)
				for ctx.Err() == nil {
					m, done := k.Use()
					got, _, err := m.Answer(t.Context(), []classify.Text{{Title: "x"}}, classify.View{})
					if err != nil || got[0].Categories["fire"].Score != float64(m.Version)/10 {
						t.Errorf("%s answers %v, %v", m, got, err)
					}
					s.mu.Lock()
					answered[m.String()]++
					s.mu.Unlock()
					done()
				}
			})
		}
		now := func() string {
			m, done := k.Use()
			defer done()
			return m.String()
		}
		step := func(v int, gone error, after time.Duration, want string, refused, unreachable bool) {
			t.Helper()
			s.name(v, gone)
			time.Sleep(after)
			st := k.Status()
			if now() != want || (st.Refused != nil) != refused || (st.Unreachable != "") != unreachable {
				t.Errorf("version %d is named: %s answers, %+v", v, now(), st)
			}
			if refused && (st.Refused.Release.Version != v || st.Refused.Release.Digest != fmt.Sprintf("digest-%d", v)) {
				t.Errorf("%+v", st.Refused)
			}
		}
		step(1, nil, 20*time.Second, "news@1", false, false)
		late, done := k.Use() // a request that is slow to ask
		step(2, nil, 20*time.Second, "news@2", false, false)
		if got, _, err := late.Answer(t.Context(), []classify.Text{{Title: "x"}}, classify.View{}); err != nil || got[0].Categories["fire"].Score != 0.1 {
			t.Errorf("a request of before is answered %v, %v", got, err)
		}
		done()
		time.Sleep(time.Second)
		if !s.freed(1) {
			t.Error("the first one is not freed")
		}
		step(3, nil, 20*time.Second, "news@2", true, false)
		step(3, nil, time.Hour, "news@2", true, false)
		if n := s.tried(3); n < 8 || n > 20 {
			t.Errorf("in an hour the damaged one was tried %d times", n)
		}
		step(4, nil, 20*time.Second, "news@2", true, false) // it gives no finite score
		step(5, nil, 20*time.Second, "news@2", true, false) // keywords do not come in the place of a model
		step(5, errors.New("no such host"), 20*time.Second, "news@2", true, true)
		step(2, nil, 20*time.Second, "news@2", false, false)
		step(7, nil, 20*time.Second, "news@7", false, false)
		if st := k.Status(); st.Swaps != 2 {
			t.Errorf("%d swaps", st.Swaps)
		}
		stop()
		all.Wait()
		k.Close()
		for v, closed := range s.open {
			if v != 5 && !closed.Load() {
				t.Errorf("version %d is not freed", v)
			}
		}
		for _, name := range []string{"news@1", "news@2", "news@7"} {
			if answered[name] == 0 {
				t.Errorf("%s answered nothing", name)
			}
		}
		for _, want := range []string{"digest=digest-3", "blob 3f is damaged", "the store says again", "another release answers"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%.3000s", want, log.String())
			}
		}
	})
}

// TestKeywordsAreReplaced: where keywords answer for want of a model, a release that can be
// loaded takes their place, and so does another one's keywords.
func TestKeywordsAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &versions{t: t, now: 1, keywords: map[int]bool{1: true, 2: true}, opened: map[int]int{}, open: map[int]*atomic.Bool{}}
		k, err := Open(t.Context(), Options{Source: s, Poll: time.Second, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); k.Watch(ctx) }()
		for v, source := range map[int]string{2: classify.SourceKeywords} {
			s.name(v, nil)
			time.Sleep(10 * time.Second)
			m, done := k.Use()
			if m.Version != v || m.Source() != source {
				t.Errorf("%s answers by %s", m, m.Source())
			}
			done()
		}
		s.name(3, nil)
		time.Sleep(20 * time.Second)
		m, done := k.Use()
		if m.Version != 3 || m.Source() != classify.SourceModel || m.Fallback != nil {
			t.Errorf("%s answers by %s", m, m.Source())
		}
		done()
		stop()
		<-ended
		k.Close()
	})
}
