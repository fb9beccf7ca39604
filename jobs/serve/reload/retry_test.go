package reload

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/ml/classify"
)

// TestFallbackEnds: keywords answer until this machine can run the model, and no longer,
// though no other release is named; until then it is tried ever less often, and what is
// known says why, and when next. So it is where the reference is never asked again.
func TestFallbackEnds(t *testing.T) {
	for name, poll := range map[string]time.Duration{"followed": 2 * time.Second, "pinned": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := &versions{t: t, now: 1, keywords: map[int]bool{1: true}, opened: map[int]int{}, open: map[int]*atomic.Bool{}}
				k, err := Open(t.Context(), Options{Source: s, Poll: poll, Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); k.Watch(ctx) }()
				time.Sleep(time.Minute)
				early := s.tried(1)
				if d := k.Status().Degraded; early < 3 || d == nil || d.Tries != early || d.Reason != "no device" || !d.Next.After(time.Now()) {
					t.Errorf("after a minute and %d tries: %+v", early, d)
				}
				time.Sleep(time.Hour)
				if n := s.tried(1) - early; n < 10 || n > 20 {
					t.Errorf("in an hour it was tried %d times", n)
				}
				before, done := k.Use()
				s.mu.Lock()
				s.keywords[1] = false // the device is there
				s.mu.Unlock()
				time.Sleep(maxPause + 10*time.Second)
				m, have := k.Use()
				got, _, err := m.Answer(t.Context(), []classify.Text{{Title: "x"}}, classify.View{})
				if err != nil || m.Version != 1 || m.Source() != classify.SourceModel || got[0].Categories["fire"].Score != 0.1 {
					t.Errorf("%s answers %v by %s, %v", m, got, m.Source(), err)
				}
				if st := k.Status(); st.Degraded != nil || st.Refused != nil || st.Swaps != 0 {
					t.Errorf("%+v", st)
				}
				if got, _, err := before.Answer(t.Context(), []classify.Text{{Title: "fire"}}, classify.View{}); err != nil || got[0].Source != classify.SourceKeywords {
					t.Errorf("a request of before is answered %v, %v", got, err)
				}
				done()
				have()
				n := s.tried(1)
				time.Sleep(time.Hour)
				if s.tried(1) != n {
					t.Error("a model that answers is opened again")
				}
				if !strings.Contains(log.String(), "the model answers, no longer its keywords") {
					t.Errorf("the log does not say it:\n%s", log.String())
				}
				stop()
				<-ended
				k.Close()
			})
		})
	}
}

// TestFallbackBesideRefusal: a release that is named and damaged is refused while keywords
// answer for the one before; when that one is named again, its model is tried.
func TestFallbackBesideRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &versions{t: t, now: 1, keywords: map[int]bool{1: true}, damaged: map[int]error{2: context.DeadlineExceeded}, opened: map[int]int{}, open: map[int]*atomic.Bool{}}
		k, err := Open(t.Context(), Options{Source: s, Poll: time.Second, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); k.Watch(ctx) }()
		s.name(2, nil)
		time.Sleep(time.Minute)
		if st := k.Status(); st.Refused == nil || st.Degraded == nil {
			t.Errorf("%+v", st)
		}
		s.mu.Lock()
		s.keywords[1] = false
		s.mu.Unlock()
		s.name(1, nil)
		time.Sleep(10 * time.Second)
		m, done := k.Use()
		if st := k.Status(); st.Refused != nil || st.Degraded != nil || m.Source() != classify.SourceModel {
			t.Errorf("%s answers by %s, %+v", m, m.Source(), st)
		}
		done()
		stop()
		<-ended
		k.Close()
	})
}
