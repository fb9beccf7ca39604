package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/history"
)

const (
	// grain parts the world's time. What comes within one grain is taken in at its
	// end, all at once, and one operation is done in the next, at a moment that is
	// drawn: so no two timers of a process fire together, where Go would choose who
	// goes first. The waits before further tries are drawn by chance inside the
	// shipped code. They are made nanoseconds: whatever is drawn, it is the same grain.
	grain   = time.Millisecond
	backoff = 2 * time.Nanosecond
	margin  = time.Microsecond // at both ends of a grain, in which nothing is done
	// calmAfter is when faults end: from then on everyone must come to an end.
	calmAfter = 3 * time.Minute
	// endBefore is when everyone must have ended.
	endBefore = time.Hour
)

// errKilled is what a dead process gets: no class that anybody would try again.
var errKilled = &storage.Error{Op: "live", Class: storage.ErrInvalid, Err: errors.New("the process was killed")}

// fault is what happens to an operation.
type fault string

const (
	none       fault = ""
	busy       fault = "busy"        // nothing is done
	lostReply  fault = "lost reply"  // done, and told as failed
	killBefore fault = "kill before" // the process that asks; nothing is done
	killAfter  fault = "kill after"
	dead       fault = "dead" // the process was killed before
)

// request is an operation that waits for its turn.
type request struct {
	p       *process
	op, key string
	due     time.Duration // not before; set when it is admitted
	turn    chan fault
}

// world is a store, the processes that use it, and the scheduler.
type world struct {
	scenario
	dir     string
	start   time.Time
	history *history.Recorder
	known   *reference
	random  *rand.Rand    // of the scheduler alone
	wake    chan struct{} // a request has come, or somebody has ended
	stopped atomic.Bool   // it did not end by itself
	inPast  bool          // what goes on was before

	mu         sync.Mutex // of all below
	fresh      []*request // not admitted yet
	queue      []*request
	running    int // users, workers and uploads
	processes  []*process
	trace      []string
	violations []string
	seen       map[string]int // what happened, and how often
	records
}

// simulate makes a world and lets it happen.
func simulate(t *testing.T, s scenario, known *reference) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "world-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	defer func() {
		if r := recover(); r != nil { // a deadlock, or a goroutine that is left
			panic(fmt.Sprintf("-seed %d: %v", s.seed, r))
		}
	}()
	w := &world{
		scenario: s, dir: filepath.Join(dir, "store"), known: known, random: rand.New(rand.NewPCG(s.seed, 1)),
		seen: map[string]int{}, records: newRecords(),
	}
	synctest.Test(t, func(*testing.T) {
		w.start, w.wake, w.history = time.Now(), make(chan struct{}, 1), history.New(w.dir)
		if s.collects {
			w.makePast()
		}
		for slot := range s.users {
			w.begin()
			go w.user(slot)
		}
		if s.collects {
			w.begin()
			go w.collector()
		}
		for slot := 0; slot < 2 && s.promotes; slot++ {
			w.begin()
			go w.promoter(slot)
		}
		w.schedule()
	})
	w.checkEnd(t)
	return w
}

// now is the time of the world.
func (w *world) now() time.Duration { return time.Since(w.start) }

func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

func (w *world) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[what]++
}

// begin and end count what goes on.
func (w *world) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running++
}

func (w *world) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	w.signal()
}

func (w *world) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

// schedule gives turns until nothing goes on any more.
func (w *world) schedule() {
	for {
		if off := w.now() % grain; off != 0 {
			time.Sleep(grain - off)
		}
		synctest.Wait()
		w.mu.Lock()
		over := w.running == 0
		w.admit()
		r, wait := w.next()
		w.mu.Unlock()
		switch {
		case over:
			return
		case r != nil:
			time.Sleep(margin + time.Duration(w.random.Int64N(int64(grain-2*margin))))
			synctest.Wait()
			r.turn <- w.draw(r)
			synctest.Wait()
		case w.now() > endBefore && !w.stopped.Load():
			w.stop()
		default:
			select {
			case <-w.wake:
			case <-time.After(wait):
			}
		}
	}
}

// admit takes in what has come since the last time, in an order that does not
// depend on which goroutine was faster.
func (w *world) admit() {
	slices.SortStableFunc(w.fresh, func(a, b *request) int {
		return cmp.Or(strings.Compare(a.p.name, b.p.name), strings.Compare(a.op, b.op), strings.Compare(canonical(a.key), canonical(b.key)))
	})
	for _, r := range w.fresh {
		r.due = w.now() + w.latency()
		w.queue = append(w.queue, r)
	}
	w.fresh = nil
}

// next takes out of the queue one of the requests whose time has come, or says how
// long there is none.
func (w *world) next() (*request, time.Duration) {
	var ready []int
	wait := endBefore
	for i, r := range w.queue {
		due := max(r.due, r.p.pausedUntil)
		if due <= w.now() {
			ready = append(ready, i)
		}
		wait = min(wait, due-w.now())
	}
	if len(ready) == 0 {
		return nil, wait
	}
	i := ready[w.random.IntN(len(ready))]
	r := w.queue[i]
	w.queue = slices.Delete(w.queue, i, i+1)
	return r, 0
}

// stop kills all processes of a world that does not end by itself.
func (w *world) stop() {
	w.stopped.Store(true)
	w.mu.Lock()
	all := slices.Clone(w.processes)
	w.violations = append(w.violations, fmt.Sprintf("%d users and workers have not ended", w.running))
	w.mu.Unlock()
	for _, p := range all {
		p.die()
	}
}

// around is storage.Options.Around of a process: it waits for its turn.
func (p *process) around(ctx context.Context, op, key string, call func() error) error {
	r := &request{p: p, op: op, key: key, turn: make(chan fault, 1)}
	p.w.submit(r)
	var f fault
	select {
	case f = <-r.turn:
	case <-ctx.Done():
		if p.w.withdraw(r) {
			return ctx.Err()
		}
		f = <-r.turn
	}
	return p.w.do(ctx, r, f, call)
}

func (w *world) submit(r *request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.p.dead {
		r.turn <- dead
		return
	}
	w.fresh = append(w.fresh, r)
	w.signal()
}

// withdraw takes back a request unless its turn has come.
func (w *world) withdraw(r *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.fresh) + len(w.queue)
	is := func(x *request) bool { return x == r }
	w.fresh, w.queue = slices.DeleteFunc(w.fresh, is), slices.DeleteFunc(w.queue, is)
	return len(w.fresh)+len(w.queue) < n
}

// do carries out an operation whose turn it is, unless a fault prevents that.
func (w *world) do(ctx context.Context, r *request, f fault, call func() error) error {
	if f == dead {
		return errKilled
	}
	var err error
	if f != killBefore && f != busy {
		err = w.perform(ctx, r, call)
	}
	w.record(r, f, err)
	switch {
	case f == killBefore || f == killAfter:
		r.p.die()
		return errKilled
	case f == busy || f == lostReply && err == nil:
		return fmt.Errorf("injected: %s", f)
	}
	return err
}

// perform does an operation on the store, whose clock is the world's.
func (w *world) perform(ctx context.Context, r *request, call func() error) error {
	path := w.path(r.key)
	if r.op == "stat" && r.p.offset != 0 {
		// A process whose clock is ahead finds every object older by that.
		if info, err := os.Stat(path); err == nil {
			at := info.ModTime()
			_ = os.Chtimes(path, at, at.Add(-r.p.offset))
			defer func() { _ = os.Chtimes(path, at, at) }()
		}
	}
	err := r.p.history.Around(ctx, r.op, r.key, call)
	if err == nil && slices.Contains([]string{"put", "create", "swap", "write", "copy"}, r.op) {
		w.mu.Lock()
		w.writes++ // nanoseconds, which tell two writes of one time apart
		at := time.Now().Add(w.writes)
		w.mu.Unlock()
		_ = os.Chtimes(path, at, at)
	}
	w.check(r, path, err)
	return err
}

func (w *world) path(key string) string { return filepath.Join(w.dir, filepath.FromSlash(key)) }

// drawn are names that are drawn by chance inside the shipped code.
var drawn = regexp.MustCompile(`\d{8}-\d{6}-[0-9a-f]{8}|\b[0-9a-f]{32}\b|(checkpoints/.*)-[0-9a-f]{8}$`)

// canonical is a key without them.
func canonical(key string) string {
	if folder, _, _ := strings.Cut(key, "/"); contentKeyed[folder] {
		return key
	}
	return drawn.ReplaceAllString(key, "$1*")
}

// contentKeyed are the folders in whose keys nothing is drawn. Most operations are
// there, and an expression is slow.
var contentKeyed = map[string]bool{"blobs": true, "kept": true, "manifests": true, "quarantine": true, "tombstones": true}

func (w *world) record(r *request, f fault, err error) {
	how := string(f)
	if err != nil {
		how += " failed"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if f != none {
		w.seen[string(f)]++
	}
	w.trace = append(w.trace, strings.TrimSpace(fmt.Sprintf("%d %s: %s %s %s", w.now()/grain, r.p.name, r.op, canonical(r.key), how)))
}
