//go:build e2e || soak

package serve

import (
	"context"
	"encoding/json"
	"fmt"
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

// usage is what the process uses.
type usage struct {
	heap, resident float64 // MiB; the heap after a collection, and 0 where nobody says the other
	goroutines     int
}

func used() usage {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	u := usage{heap: float64(m.HeapAlloc) / (1 << 20), goroutines: runtime.NumGoroutine()}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		var pages, resident int
		if _, err := fmt.Sscan(string(text), &pages, &resident); err == nil {
			u.resident = float64(resident*os.Getpagesize()) / (1 << 20)
		}
	}
	return u
}

func (u usage) String() string {
	return fmt.Sprintf("heap %.0f MiB, resident %.0f MiB, %d goroutines", u.heap, u.resident, u.goroutines)
}

// TestLoad: fifty clients, of which ten are slow, ask two instances that are started anew in
// turn, while the alias moves and the store is gone for a while: no answer is wrong, none
// fails but those that are told 429, and memory stays.
func TestLoad(t *testing.T) {
	t.Parallel()
	whole, swap, restart, gone := loadTimes()
	o := answers.Options{Store: filepath.Join(t.TempDir(), "store"), Device: "go", Cache: encodertest.Cache(), Log: slog.New(slog.DiscardHandler)}
	l := &load{t: t, texts: loadTexts(), by: map[string]int{}}
	var name string
	name, l.want = loadStore(t, &o, l.texts)
	before := runtime.NumGoroutine()
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
		if err := models.In(s).SetAlias(t.Context(), name, "load", (n+1)%loadReleases+1); err != nil {
			t.Error(err)
		}
		l.moves.Add(1)
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
		l.restarts.Add(1)
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
	early, late := l.watch(asking, whole)
	clients.Wait()
	stop()
	servers.Wait()
	s.Close()
	t.Logf("%d answers, %v, %d told 429, the alias moved %d times, %d restarts", l.answered.Load(), l.by, l.busy.Load(), l.moves.Load(), l.restarts.Load())
	if len(l.by) != loadReleases || l.answered.Load() < int64(whole/time.Second) {
		t.Errorf("%d answers, by release %v", l.answered.Load(), l.by)
	}
	if late.heap > 1.2*early.heap+32 || late.resident > 1.2*early.resident+64 {
		t.Errorf("it grew from %s to %s", early, late)
	}
	if jobstest.Tier == 2 { // no other test runs beside it
		left := runtime.NumGoroutine()
		for end := time.Now().Add(20 * time.Second); left > before+2 && time.Now().Before(end); left = runtime.NumGoroutine() {
			time.Sleep(100 * time.Millisecond)
		}
		if left > before+2 {
			t.Errorf("%d goroutines before, %d are left", before, left)
		}
	}
}

// watch says ten times what is used, until the load ends: early is the most of the first half,
// late that of the second. What is used now depends on how many models are being loaded.
func (l *load) watch(asking context.Context, whole time.Duration) (early, late usage) {
	for n := 1; ; n++ {
		select {
		case <-asking.Done():
			return early, late
		case <-time.After(whole / 10):
		}
		now, most := used(), &early
		if n > 5 {
			most = &late
		}
		most.heap, most.resident, most.goroutines = max(most.heap, now.heap), max(most.resident, now.resident), max(most.goroutines, now.goroutines)
		l.t.Logf("after %v: %s, %d answers", time.Duration(n)*whole/10, now, l.answered.Load())
	}
}
