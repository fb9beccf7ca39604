// Package xla opens PJRT plugins through go-xla, and holds all that go-xla lacks. Each
// piece works round one thing, and may go when go-xla or the plugin does it by itself:
//
//   - programs.go keeps compiled programs in a folder, since go-xla compiles every program
//     in every process. It may go with interpose.go.
//   - interpose.go puts functions of ours before the plugin's own, since go-xla has no place
//     for a program that is loaded instead of compiled. It may go when go-xla can serialise
//     an executable and make one from bytes. It also keeps signals from the plugin's threads
//     (pjrtCreate in pjrt.h), which oneDNN does not survive; that must stay somewhere.
//   - donation.go tells the compiler which output takes the place of which donated input,
//     which go-xla never says. It may go when go-xla's builder has a word for input-output
//     aliases.
//   - flags.go switches XNNPACK off in the CPU plugin, which would go on reading the packed
//     copy of a weight that was updated in place. It may go with a plugin that is built
//     without XNNPACK, or whose packed copies follow their weights.
//
// open.go makes the client; builds without cgo, and platforms without plugins, have
// unavailable.go instead. Package device chooses and checks plugins, and turns GoMLX's
// panics into errors; nobody else imports this package.
package xla

import (
	"log/slog"

	"github.com/gomlx/compute"
)

// Options of Open.
type Options struct {
	Path     string       // of the plugin, absolute
	Digest   string       // of the plugin's bytes; without it no programs are kept
	Device   string       // its name, cpu or cuda, which programs are keyed by
	CPU      bool         // the plugin computes on the machine's own processor and memory
	Pinned   bool         // the plugin is a known one: it knows the flag of flags.go
	Programs string       // folder of compiled programs; empty keeps none
	Log      *slog.Logger // nil drops
}

// Client is an open plugin. It is safe for use by several goroutines as far as Backend is.
type Client struct {
	Backend     compute.Backend
	API         string // version of the PJRT C API
	Description string // platform and device in the plugin's words

	programs *programCache
}

// Programs counts what was compiled and what was loaded until now.
func (c *Client) Programs() Programs { return c.programs.counted() }

// Identity is all that compiled programs depend on beside the program: plugin, device,
// processor, number of cores and XLA's flags. It is nil if one of them is unknown.
func (c *Client) Identity() []byte { return c.programs.identity() }

// OnCompile names who is told before each program that is compiled because it was not kept,
// and whether it will be kept; nil is nobody. It is called in the middle of building a
// program and must not build one.
func (c *Client) OnCompile(told func(kept bool)) { c.programs.onCompile(told) }

// Donating is the backend for building programs that write their first n outputs into the
// buffers of their first n inputs; see device.Device.
func (c *Client) Donating(n int) compute.Backend { return donating(c.Backend, n) }

// Close ends the client. Buffers that are alive become invalid. A second call does nothing.
func (c *Client) Close() {
	if c.Backend.IsFinalized() {
		return
	}
	c.programs.forgetClient()
	c.Backend.Finalize()
}
