// Package faults breaks a store on purpose: it numbers every operation and
// makes chosen ones fail, lose their reply, wait or kill the process. It plugs
// into storage.Options.Around, and a failure names the operation's number, so
// that the same plan replays it.
package faults

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Mode is a way to fail.
type Mode string

// The modes. "Once" faults hit one try, which the store repeats; a lasting one
// hits the operation and all its repetitions.
const (
	None        Mode = ""
	ErrorBefore Mode = "error-before" // lasting: nothing is done
	ErrorAfter  Mode = "error-after"  // lasting: done by the first try, reported as failed
	LostReply   Mode = "lost-reply"   // once: done, reported as failed
	Busy        Mode = "busy"         // once: nothing is done
	Delay       Mode = "delay"        // done late
	KillBefore  Mode = "kill-before"
	KillAfter   Mode = "kill-after"
	KillLost    Mode = "kill-lost" // done, reported as failed; killed at the next operation
	Short       Mode = "short"     // once: half of the object is written, then it fails
)

// Modes lists all modes.
func Modes() []Mode {
	return []Mode{ErrorBefore, ErrorAfter, LostReply, Busy, Delay, KillBefore, KillAfter, KillLost, Short}
}

// Plan says what happens to the n-th operation, counted from 1.
type Plan func(n int) Mode

// At fails one operation.
func At(n int, m Mode) Plan {
	return func(i int) Mode {
		if i == n {
			return m
		}
		return None
	}
}

// Every fails each operation with a probability. The same seed and number
// always give the same answer, whatever ran before.
func Every(seed uint64, probability float64, m Mode) Plan {
	return func(n int) Mode {
		if float64(mix(seed, uint64(n))>>11)/(1<<53) < probability {
			return m
		}
		return None
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(seed, n uint64) uint64 {
	z := seed + n*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Parse reads a plan: MODE@N for one operation, MODE@P/SEED for each with
// probability P, as in "kill-after@17" and "lost-reply@0.3/42".
func Parse(text string) (Plan, error) {
	name, where, ok := strings.Cut(text, "@")
	mode := None
	for _, m := range Modes() {
		if string(m) == name {
			mode = m
		}
	}
	if !ok || mode == None {
		return nil, fmt.Errorf("fault plan %q: want MODE@N or MODE@P/SEED with one of the modes %v", text, Modes())
	}
	if p, seed, ok := strings.Cut(where, "/"); ok {
		probability, err := strconv.ParseFloat(p, 64)
		if err != nil || !(probability >= 0 && probability <= 1) {
			return nil, fmt.Errorf("fault plan %q: %q is not a probability", text, p)
		}
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("fault plan %q: seed: %w", text, err)
		}
		return Every(n, probability, mode), nil
	}
	n, err := strconv.Atoi(where)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("fault plan %q: operations are counted from 1", text)
	}
	return At(n, mode), nil
}

// Op is one operation of the log.
type Op struct {
	N       int
	Op, Key string
	Mode    Mode
	Of      int // the operation of the plan that a lasting fault began with; else N
}

func (o Op) String() string { return fmt.Sprintf("%d (%s %s, %s)", o.Of, o.Op, o.Key, o.Mode) }

// Injector carries out a plan and keeps the log. It is safe for concurrent use.
type Injector struct {
	// Wait is the length of a Delay; 0 means 50 ms.
	Wait time.Duration
	// Err is what a failing operation returns, wrapped; nil means an error
	// that the store takes for a temporary one.
	Err error
	// Log, if not nil, gets a line for each operation before it is done, so
	// that the log of a killed process tells where it died.
	Log io.Writer
	// Cut shortens the stored object of a key, for Short; nil leaves nothing of
	// the write.
	Cut func(key string) error

	plan   Plan
	text   string // what Open parsed
	mu     sync.Mutex
	n      int
	log    []Op
	last   map[string]Op // where lasting injector began, by operation and key
	doomed bool          // a KillLost has happened
}

// New returns an injector of a plan; a nil plan only logs.
func New(plan Plan) *Injector {
	if plan == nil {
		plan = func(int) Mode { return None }
	}
	return &Injector{plan: plan, last: map[string]Op{}}
}

// Ops returns the operations so far.
func (i *Injector) Ops() []Op {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]Op(nil), i.log...)
}

// next numbers an operation and says what happens to it.
func (i *Injector) next(op, key string) Op {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.n++
	o := Op{N: i.n, Op: op, Key: key, Mode: i.plan(i.n), Of: i.n}
	at := op + " " + key
	if first, ok := i.last[at]; ok {
		o.Mode, o.Of = first.Mode, first.N
	} else if o.Mode == ErrorBefore || o.Mode == ErrorAfter {
		i.last[at] = o
	}
	if i.doomed {
		o.Mode = KillBefore
	}
	i.doomed = i.doomed || o.Mode == KillLost
	i.log = append(i.log, o)
	if i.Log != nil {
		fmt.Fprintln(i.Log, o.N, op, key, o.Mode)
	}
	return o
}

// Around is storage.Options.Around.
func (i *Injector) Around(ctx context.Context, op, key string, call func() error) error {
	o := i.next(op, key)
	switch o.Mode {
	case ErrorBefore, Busy:
		return i.fail(o)
	case ErrorAfter:
		if o.Of != o.N {
			return i.fail(o)
		}
		if err := call(); err != nil {
			return err
		}
		return i.fail(o)
	case LostReply:
		if err := call(); err != nil {
			return err
		}
		return i.fail(o)
	case Delay:
		wait := i.Wait
		if wait == 0 {
			wait = 50 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	case Short:
		if err := i.short(o, call); err != nil {
			return err
		}
		return i.fail(o)
	case KillLost:
		if err := call(); err != nil {
			return err // and killed at the next operation all the same
		}
		return i.fail(o)
	case KillBefore:
		kill()
	case KillAfter:
		_ = call()
		kill()
	}
	return call()
}

// short leaves half of what the operation writes.
func (i *Injector) short(o Op, call func() error) error {
	if i.Cut == nil || !slices.Contains([]string{"put", "create", "swap", "write"}, o.Op) {
		return nil
	}
	if err := call(); err != nil {
		return err
	}
	return i.Cut(o.Key)
}

func (i *Injector) fail(o Op) error {
	err := i.Err
	if err == nil && o.Mode == Short {
		err = io.ErrShortWrite
	}
	replay := ""
	if i.text != "" {
		replay = fmt.Sprintf(", replay with %s=%s", Env, i.text)
	}
	if err != nil {
		return fmt.Errorf("injected fault at operation %s%s: %w", o, replay, err)
	}
	return fmt.Errorf("injected fault at operation %s%s", o, replay)
}

// kill ends the process as kill -9 does: nothing is flushed, no defer runs.
func kill() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {} // until the signal is delivered
}
