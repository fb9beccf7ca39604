// Package device opens the machine that a model runs on: a PJRT plugin (CUDA or
// CPU) or GoMLX's pure-Go backend.
//
// A name is a demand: "cuda" opens a CUDA device or fails, "cpu" the CPU plugin
// or fails, "go" the pure-Go backend. Only "auto" chooses, in the order cuda
// (when the machine has an NVIDIA GPU), cpu, go, and Info.Fallback says why a
// better one was passed over.
//
// Plugins are taken from PJRT_PLUGIN_LIBRARY_PATH when it names one, else from a
// pinned wheel (package wheel). A plugin is code of this process. Before it is loaded a
// pinned one is compared with digests in this program, and refused where others can change
// it. One of the user's own is the user's word: its path must be absolute, every user must
// not be able to put another in its place, and its structure is checked, since loading a
// damaged shared library ends the process, and no recover can catch that.
//
// open.go opens devices, says what is there without opening, and fetches a plugin ahead.
// plugin.go finds the plugin of a device, pins.go names the known ones, plugin_check.go looks
// into a file before it is loaded, hardware.go into the machine. errors.go has the refusals,
// and turns the panics of GoMLX into errors. What go-xla lacks is in device/xla.
package device

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/gomlx/compute"

	"github.com/sprint-ml/sprint/ml/device/xla"
	"github.com/sprint-ml/sprint/ml/wheel"
)

// The names that Open takes.
const (
	Auto = "auto"
	CUDA = "cuda"
	CPU  = "cpu"
	Go   = "go"
)

// PluginPathEnv holds the user's own plugin: a file, or folders that are
// searched for one, separated as in PATH. All are absolute.
const PluginPathEnv = "PJRT_PLUGIN_LIBRARY_PATH"

// Info describes a device and is recorded with everything that ran on it.
// Results are byte-identical only between equal Name, Digest and CPU model.
type Info struct {
	Name          string `json:"name"`                     // cuda, cpu or go
	Plugin        string `json:"plugin,omitempty"`         // package or file name of the plugin
	PluginVersion string `json:"plugin_version,omitempty"` // of the package; empty for a plugin of the user's own
	Digest        string `json:"digest,omitempty"`         // sha256:hex of the plugin file
	Path          string `json:"path,omitempty"`           // of the plugin file
	API           string `json:"api,omitempty"`            // PJRT C API version, known once opened
	Description   string `json:"description,omitempty"`    // platform and device in the plugin's words
	MemoryBytes   int64  `json:"memory_bytes,omitempty"`   // of the machine, or of the GPU; 0 if unknown
	Fallback      string `json:"fallback,omitempty"`       // auto only: why a better device was passed over
	Err           string `json:"error,omitempty"`          // List only: why this device cannot be opened now
}

// Options of Open, List and Install. CacheDir is required for fetching.
type Options struct {
	CacheDir   string                  // where plugins are kept, and compiled programs
	ProgramDir string                  // another folder for compiled programs; empty is one in CacheDir
	Offline    bool                    // never fetch
	Announce   func(line string)       // told once before a plugin is fetched
	Progress   func(done, total int64) // bytes fetched
	Getenv     func(string) string     // environment; nil is the process's own
	Log        *slog.Logger            // takes GoMLX's own log at debug level; nil drops it
	HasGPU     func() bool             // nil looks for an NVIDIA GPU
}

func (o Options) getenv(name string) string {
	if o.Getenv != nil {
		return o.Getenv(name)
	}
	return os.Getenv(name)
}

func (o Options) hasGPU() bool {
	if o.HasGPU != nil {
		return o.HasGPU()
	}
	return nvidia().present
}

// programs is the folder of compiled programs; empty if there is none.
func (o Options) programs() string {
	if o.ProgramDir == "" && o.CacheDir != "" {
		return filepath.Join(o.CacheDir, "programs")
	}
	return o.ProgramDir
}

func (o Options) wheel() wheel.Options {
	return wheel.Options{Offline: o.Offline, Announce: o.Announce, Progress: o.Progress}
}

// Device is an open backend. It is safe for use by several goroutines as far as
// the backend is.
type Device struct {
	Info
	Backend compute.Backend

	client *xla.Client // nil for the Go backend
}

// HasXLA tells builds that can load PJRT plugins from those that cannot.
const HasXLA = xla.Available

// Fingerprint names all that the bytes of a result depend on beside program and inputs:
// plugin or backend, processor, number of cores. Equal ones give equal bytes. It is empty
// if a part of it is unknown.
func (d *Device) Fingerprint() string {
	var parts []byte
	if d.client != nil {
		parts = d.client.Identity()
	} else if cpu := xla.Processor(); cpu != nil {
		parts = fmt.Appendf(nil, "%s %s %d %s %s", Go, runtime.GOARCH, runtime.NumCPU(), moduleVersions(), cpu)
	}
	if parts == nil {
		return ""
	}
	sum := sha256.Sum256(parts)
	return hex.EncodeToString(sum[:])
}

// moduleVersions are those of GoMLX in this program, in which its Go backend is.
func moduleVersions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var out []string
	for _, m := range info.Deps {
		if strings.HasPrefix(m.Path, "github.com/gomlx/") {
			out = append(out, m.Path+"@"+m.Version)
		}
	}
	return strings.Join(out, " ")
}

// Programs counts what was compiled and what was loaded until now; the Go backend compiles
// nothing.
func (d *Device) Programs() xla.Programs {
	if d.client == nil {
		return xla.Programs{}
	}
	return d.client.Programs()
}

// OnCompile names who is told before each program that is compiled because it was not kept,
// and whether it will be kept; nil is nobody. The Go backend compiles nothing. told must
// not build programs.
func (d *Device) OnCompile(told func(kept bool)) {
	if d.client != nil {
		d.client.OnCompile(told)
	}
}

// Donating is the backend for building programs that write their first n
// outputs into the buffers of their first n inputs. Those must be donated when
// the program runs, and buffers belong to Backend as always. On a device that
// cannot do so the outputs get buffers of their own, with equal results.
func (d *Device) Donating(n int) compute.Backend {
	if d.client == nil {
		return d.Backend
	}
	return d.client.Donating(n)
}

// Close releases the device. It may be called twice, and with buffers alive:
// those become invalid.
func (d *Device) Close() error {
	if d == nil || d.client == nil {
		return nil // the Go backend owns nothing outside the heap
	}
	return Guard("close the device", func() error { d.client.Close(); return nil })
}

func goInfo() Info {
	return Info{Name: Go, Plugin: "gomlx/compute gobackend", Description: "pure Go, no plugin; trains about 30 times slower than XLA", MemoryBytes: memory(Go)}
}
