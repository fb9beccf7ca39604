//go:build e2e || soak

package serve

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
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
	return 12 * time.Second, 1500 * time.Millisecond, 4 * time.Second, 2 * time.Second
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
	t.Parallel()
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
}
