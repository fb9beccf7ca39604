// Package history records what the clients of a store do to its leases and
// aliases, driver call by driver call, and checks that some order of the calls
// explains all that was seen. The check is porcupine's, of linearizability
// (Lowe 2017, "Testing for linearizability"; Horn and Kroening 2015).
//
// An alias is a register that is only ever replaced in the state that its writer
// has read. A lease is such a register whose states follow each other by more
// rules: its holder alone renews it, and another takes it when it was released or
// has not been renewed for a whole ttl of the taker's own clock. All clients must
// be of one process, so that none of them is ever found dead.
//
// A recorder sees the bytes of each state, so the store is a folder, and calls on
// one key take turns there: what a driver does while two calls meet is tried by
// the suite in storagetest.
//
//	history.go  what is recorded
//	check.go    the specifications, and the check
//	plants.go   clients with mistakes that the check must find
package history

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/sprint-ml/sprint/storage"
)

// Recorder keeps the history of a store in a folder. It is safe for concurrent
// use.
type Recorder struct {
	dir   string
	start time.Time
	order atomic.Int64 // of the calls and their returns

	mu    sync.Mutex
	turns map[string]*sync.Mutex // by key
	calls map[string][]porcupine.Operation
}

// New makes a recorder of the store in dir, whose clients all call it.
func New(dir string) *Recorder {
	return &Recorder{dir: dir, start: time.Now(), turns: map[string]*sync.Mutex{}, calls: map[string][]porcupine.Operation{}}
}

// Client is one that opens the store: Around goes into its options.
type Client struct {
	recorder *Recorder
	name     string
	ttl      time.Duration

	mu     sync.Mutex
	states map[string]string // that it read or wrote last, by key
	wrote  map[string]bool

	// Of a client with a mistake.
	plant   Plant
	planted string            // the prefix of the keys
	kept    map[string]string // files of the states that it has seen, by key
	links   int
}

// Client makes a client. It waits for ttl of its own clock before it takes
// over a lease that nobody released.
func (r *Recorder) Client(name string, ttl time.Duration) *Client {
	return &Client{recorder: r, name: name, ttl: ttl, states: map[string]string{}, wrote: map[string]bool{}, kept: map[string]string{}}
}

// call is one call of a driver on a register, as the checker takes it.
type call struct {
	client string
	ttl    time.Duration
	write  bool
	// from is the state that a write is made for, the one that its client has
	// seen last; to is what it made, or what a read saw. Empty is absent.
	from, to     string
	began, ended time.Duration // since the history began
}

func isLease(key string) bool { return strings.HasPrefix(key, "leases/") }

func isAlias(key string) bool {
	return strings.HasPrefix(key, "models/") && strings.Contains(key, "/aliases/")
}

// Around is storage.Options.Around.
func (c *Client) Around(_ context.Context, op, key string, do func() error) error {
	if !isLease(key) && !isAlias(key) {
		return do()
	}
	switch op {
	case "read", "create", "swap", "write", "sweep":
	default:
		return do()
	}
	if c.passesOver(op, key) {
		return &storage.Error{Op: op, Key: key, Class: storage.ErrNotFound}
	}
	r := c.recorder
	o := porcupine.Operation{Call: r.order.Add(1)}
	done := call{client: c.name, ttl: c.ttl, write: op != "read", began: time.Since(r.start)}
	turn := r.turn(key)
	turn.Lock()
	var before string
	if done.write {
		before = r.state(key)
		if done.from = c.state(key); op == "create" {
			done.from = ""
		}
		c.force(op, key, before)
	}
	err := do()
	done.to = r.state(key)
	known := err == nil || done.write && done.to != before || !done.write && errors.Is(err, fs.ErrNotExist)
	if known {
		c.saw(key, done)
	}
	turn.Unlock()
	if known {
		done.ended = time.Since(r.start)
		o.Input, o.Return = done, r.order.Add(1)
		r.mu.Lock()
		r.calls[key] = append(r.calls[key], o)
		r.mu.Unlock()
	}
	return err
}

func (r *Recorder) turn(key string) *sync.Mutex {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.turns[key] == nil {
		r.turns[key] = &sync.Mutex{}
	}
	return r.turns[key]
}

// state is what the store holds under a key; empty if nothing.
func (r *Recorder) state(key string) string {
	b, err := os.ReadFile(r.path(key))
	if err != nil {
		return ""
	}
	return string(b)
}

func (r *Recorder) path(key string) string { return filepath.Join(r.dir, filepath.FromSlash(key)) }

func (c *Client) state(key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.states[key]
}

func (c *Client) saw(key string, done call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.states[key] = done.to
	c.wrote[key] = c.wrote[key] || done.write
	c.keepState(key)
}
