package executortest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// over is the subject over a bucket whose server is around another.
func (s Subject) over(around func(http.Handler) http.Handler) Subject {
	s.Store = func(t *testing.T) *storage.Store {
		store, err := storage.Open(t.Context(), storagetest.S3URL(t, around)(), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		return store
	}
	plain := s.New
	s.New = func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
		return plain(t, store, append(env, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")...)
	}
	return s
}

// bench is a run of one stage by this executor, with the retries of a plan. Its observer is
// told all.
func (s Subject) bench(t *testing.T, stage string, observe func(runs.Event)) *jobstest.Bench {
	t.Helper()
	b := jobstest.NewBench(t, "name: suite\nstages:\n  - {name: stage, kind: "+s.Kind+", "+stage+"}\n")
	b.Store = s.openStore(t)
	b.Tweak = func(r *jobs.Runner) {
		r.Executor, r.TTL = s.New(t, b.Store), runs.LeaseTTL
		r.Observer = jobstest.Observe(observe)
	}
	return b
}

// triedAgain: a stage that stumbles is tried again as often as its plan says, one that fails
// for good never is.
func (s Subject) triedAgain(t *testing.T) {
	for end, want := range map[string]struct {
		code     stages.Code
		states   string
		attempts int
	}{"flaky": {0, "succeeded", 3}, "fail": {stages.CodeSource, "failed", 1}} {
		if s.Elsewhere && end == "fail" {
			continue // it takes a while there, and failures says that no cause is given
		}
		t.Run(end, func(t *testing.T) {
			b := s.bench(t, "retry: {failure: 4, network: 4, store: 4, machine: 4}, with: {end: "+end+"}", func(runs.Event) {})
			tweak := b.Tweak
			b.Tweak = func(r *jobs.Runner) { tweak(r); r.Backoff = time.Millisecond }
			if res := b.MustRun(want.code, want.states); res.Stages[0].Attempt != want.attempts {
				t.Errorf("%d attempts, want %d", res.Stages[0].Attempt, want.attempts)
			}
		})
	}
}

// storeGone is StoreGone for a moment: that the retries of a plan last for a minute is held
// by TestStoreMayBeGoneForAMinute of package jobs.
func (s Subject) storeGone(t *testing.T) {
	if s.Elsewhere {
		s.StoreGone(t, 3*time.Second, 600*time.Millisecond)
	} else {
		s.StoreGone(t, 2*time.Second, 400*time.Millisecond)
	}
}

// StoreGone holds that a store which answers nothing for so long costs no work that is done:
// the run of six pieces, each of which takes pace, ends as if it had been there.
func (s Subject) StoreGone(t *testing.T, outage, pace time.Duration) {
	var gone atomic.Bool
	var refused atomic.Int64
	s = s.over(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case !gone.Load():
				h.ServeHTTP(w, r)
			case refused.Add(1)%2 == 0:
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				panic(http.ErrAbortHandler) // the connection ends without an answer
			}
		})
	})
	var once sync.Once
	b := s.bench(t, "with: {times: 6, pace: "+pace.String()+", keep: true}", func(e runs.Event) {
		if e.Type == runs.EventProgress {
			once.Do(func() {
				gone.Store(true)
				time.AfterFunc(outage, func() { gone.Store(false) })
			})
		}
	})
	tweak := b.Tweak
	b.Tweak = func(r *jobs.Runner) { tweak(r); r.Backoff = 0 }
	res := b.MustRun(0, "succeeded")
	if refused.Load() == 0 {
		t.Error("nothing asked for the store while it was gone")
	}
	made, _, err := b.Store.Newest(t.Context(), s.Kind, res.Stages[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	if out, ok := made.Output(s.Output); !ok || out.Size != int64(len(s.Output+":xxxxxx")) {
		t.Errorf("made %+v", out)
	}
}

// outOfMemory: a worker that gets no more memory says so, with what takes less.
func (s Subject) outOfMemory(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{})
	o := s.New(t, store, jobstest.WorkerLastWords+"=fatal error: runtime: out of memory").Execute(t.Context(), a, &sink{})
	if o.Manifest != nil || executor.Code(o.Err) != stages.CodeMemory || !strings.Contains(executor.Hint(o.Err), "memory") || o.State != runs.Failed || o.Cause != executor.CauseFailure {
		t.Errorf("outcome %+v, code %d, hint %q", o, executor.Code(o.Err), executor.Hint(o.Err))
	}
}

// graceOver: a worker that does not end when it is asked is ended, and the record says that
// its time to do so was over.
func (s Subject) graceOver(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, jobstest.Options{})
	e := s.New(t, store, "TOY_DEAF=1", jobstest.WorkerBegins+"=1")
	switch e := e.(type) {
	case *remote.Executor:
		e.Limits.Grace = time.Second
	case *local.Executor:
		e.Grace = time.Second
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := &sink{}
	go func() {
		for range 600 {
			workers, err := jobstest.Begun(ctx, store)
			seen.mu.Lock()
			begun := err == nil && len(workers) > 0 && (!s.Elsewhere || strings.Contains(seen.log.String(), ": running"))
			seen.mu.Unlock()
			if begun {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		cancel()
	}()
	o := e.Execute(ctx, a, seen)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if o.State != runs.Interrupted || seen.notes[executor.NoteEndedBy] != executor.LimitGrace {
		t.Errorf("outcome %+v, notes %v", o, seen.notes)
	}
}

// clocksOff: the store's clock is an hour before or behind those of the machines, from one
// answer to the next. Nobody is taken for dead, and nothing is done twice.
func (s Subject) clocksOff(t *testing.T) {
	var answers atomic.Int64
	modified := regexp.MustCompile(`<LastModified>[^<]*</LastModified>`)
	s.over(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			now := time.Now().UTC().Add(time.Hour)
			if answers.Add(1)%2 == 0 {
				now = now.Add(-2 * time.Hour)
			}
			for name, values := range answer.Header() {
				w.Header()[name] = values
			}
			w.Header().Set("Date", now.Format(http.TimeFormat))
			if answer.Header().Get("Last-Modified") != "" {
				w.Header().Set("Last-Modified", now.Format(http.TimeFormat))
			}
			body := modified.ReplaceAll(answer.Body.Bytes(), []byte("<LastModified>"+now.Format("2006-01-02T15:04:05.000Z")+"</LastModified>"))
			if r.Method != http.MethodHead && answer.Code != http.StatusNoContent && answer.Code != http.StatusNotModified {
				w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			}
			w.WriteHeader(answer.Code)
			_, _ = w.Write(body)
		})
	}).startedTwice(t)
	if answers.Load() == 0 {
		t.Error("nothing asked for the store")
	}
}

// restarting is a place that starts a job again by itself when its machine is taken.
type restarting struct {
	executor.Provider
	taken chan struct{}
}

func (p *restarting) Watch(ctx context.Context, h executor.Handle, report func(executor.Status)) (executor.Status, error) {
	var mu sync.Mutex
	var last executor.Status
	over := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		select {
		case <-over:
		case <-p.taken:
			mu.Lock()
			defer mu.Unlock()
			last.Restarts++
			report(last)
		}
	})
	defer func() {
		close(over)
		telling.Wait()
	}()
	return p.Provider.Watch(ctx, h, func(s executor.Status) {
		mu.Lock()
		defer mu.Unlock()
		s.Restarts += last.Restarts
		last = s
		report(s)
	})
}

// startedAgain: of a job on a machine that may be taken away its runner counts the
// interruptions: what the place would start again by itself is ended.
func (s Subject) startedAgain(t *testing.T) {
	store := s.openStore(t)
	a := s.attempt(t, store, s.slow())
	e := s.remote(t, store)
	place := &restarting{Provider: e.Provider, taken: make(chan struct{})}
	e.Provider, e.Resources = place, func(*runs.Attempt) executor.Resources { return executor.Resources{Preemptible: true} }
	var once sync.Once
	out := e.Execute(t.Context(), a, &sink{onProgress: func() { once.Do(func() { close(place.taken) }) }})
	if out.State != runs.Lost || out.Cause != executor.CauseInterruption || !out.Checkpointed || out.Manifest != nil {
		t.Errorf("outcome %+v", out)
	}
	if left := workers(store); len(left) > 0 {
		t.Errorf("workers %v are left", left)
	}
}

// peaks watches how much memory the workers of a store have had at most, until the function
// that it returns is called.
func peaks(store *storage.Store) func() (most int64) {
	stop, found := make(chan struct{}), make(chan int64, 1)
	go func() {
		most := int64(0)
		for {
			for _, pid := range workers(store) {
				text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
				_, line, _ := strings.Cut(string(text), "VmHWM:")
				var kilobytes int64
				if _, err := fmt.Sscan(line, &kilobytes); err == nil {
					most = max(most, kilobytes<<10)
				}
			}
			select {
			case <-stop:
				found <- most
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		close(stop)
		return <-found
	}
}
