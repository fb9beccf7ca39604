package history

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Plant is a mistake that a client makes on purpose.
type Plant string

// The plants.
const (
	// WithoutCompare replaces records in whatever state they are.
	WithoutCompare Plant = "without compare"
	// WithoutLooking does not read a record before its first write, and then is
	// WithoutCompare: a lease is taken whoever holds it.
	WithoutLooking Plant = "without looking"
)

// Plant gives a client a mistake. A history with such a client that Check finds
// nothing wrong with is one in which the mistake did no harm.
func (c *Client) Plant(p Plant, prefix string) *Client {
	c.plant, c.planted = p, prefix
	return c
}

func (c *Client) careless(key string) bool {
	return c.plant != "" && strings.HasPrefix(key, c.planted)
}

// passesOver reports whether the client does not look at a record at all, and
// takes it for missing.
func (c *Client) passesOver(op, key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return op == "read" && c.plant == WithoutLooking && c.careless(key) && !c.wrote[key]
}

// force makes a conditional write succeed that another client's write has made
// stale: it puts back the state that the condition names. The recorder's turn for
// the key hides that.
func (c *Client) force(op, key, now string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.careless(key) || c.states[key] == now {
		return
	}
	path := c.recorder.path(key)
	_ = os.Remove(path) // it may not be there
	if op == "create" {
		return
	}
	// The same file has the same version.
	if err := os.Link(c.kept[key], path); err != nil {
		panic(err)
	}
}

// keepState keeps the file of the state that the client has just seen. It has c.mu.
func (c *Client) keepState(key string) {
	if !c.careless(key) || c.states[key] == "" {
		return
	}
	dir := c.recorder.dir + ".kept"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		panic(err)
	}
	c.links++
	c.kept[key] = filepath.Join(dir, fmt.Sprintf("%s-%d", strings.ReplaceAll(c.name, "/", "-"), c.links))
	if err := os.Link(c.recorder.path(key), c.kept[key]); err != nil {
		panic(err)
	}
}
