// Command gpu measures in a few minutes what a device does for training: whether it opens,
// how far its numbers lie from the CPU's, steps and texts per second beside PyTorch, what
// happens when memory runs out, and whether a killed run of sprint continues on it.
//
//	gpu [-device cuda|cpu] [-sprint BINARY] [-out gpu.json] [-minutes 5] [-only part,part]
//
// Every part runs as a child process with a time limit of its own, the cheapest first, so that
// a plugin that hangs or ends its process costs one part alone. The file is rewritten after
// each. `just gpu` builds and runs it; `just gpu-bundle` makes one file to carry to a machine
// without Go.
//
// parts.go lists the parts and runs them; machine.go, training.go, inference.go, peer.go and
// run.go are the parts. encoder.go makes their encoders: random weights of real shapes.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sprint-ml/sprint/ml/device"
)

// settings are what every part gets.
type settings struct {
	Device  string
	Sprint  string // path of the binary; empty leaves out the parts that need it
	Python  string // that has torch
	Cache   string
	Small   bool // shapes for a CPU
	Minutes float64
	Out     string
	Only    []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: 0 if every part that was tried went well, 1 if one did not, 2 for
// a wrong flag, 4 if there is no such device.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, part, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "gpu:", err)
		return 2
	case part != "":
		return runPart(ctx, part, s, stdout, stderr)
	}
	return runAll(ctx, s, stdout, stderr)
}

func parse(args []string, stderr io.Writer) (s settings, part string, err error) {
	flags := flag.NewFlagSet("gpu", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cache, _ := os.UserCacheDir() // without one the folder is asked for
	only := ""
	flags.StringVar(&s.Device, "device", device.CUDA, "cuda, or cpu for small shapes on the CPU's plugin")
	flags.StringVar(&s.Sprint, "sprint", "", "the sprint binary; by default the one beside this program, else runs are left out")
	flags.StringVar(&s.Python, "python", "python3", "a Python that may have torch and transformers")
	flags.StringVar(&s.Cache, "cache", filepath.Join(cache, "sprint"), "where plugins are kept")
	flags.StringVar(&s.Out, "out", "gpu.json", "the file of the figures, rewritten after each part")
	flags.Float64Var(&s.Minutes, "minutes", 5, "time for all parts; what does not fit is left out")
	flags.StringVar(&only, "only", "", "parts to run, separated by commas: "+strings.Join(partNames(), ", "))
	flags.StringVar(&part, "part", "", "run one part in this process and print its figures as JSON lines")
	if err := flags.Parse(args); err != nil {
		return s, "", err
	}
	if flags.NArg() > 0 {
		return s, "", fmt.Errorf("there are no arguments, but %q is given", flags.Arg(0))
	}
	if s.Device != device.CUDA && s.Device != device.CPU {
		return s, "", fmt.Errorf("-device is cuda or cpu, not %q", s.Device)
	}
	if !(s.Minutes > 0) {
		return s, "", fmt.Errorf("-minutes is more than 0, not %v", s.Minutes)
	}
	if only != "" {
		s.Only = strings.Split(only, ",")
	}
	for _, name := range append([]string{cmp.Or(part, partNames()[0])}, s.Only...) {
		if _, ok := find(name); !ok {
			return s, "", fmt.Errorf("there is no part %q; there are %s", name, strings.Join(partNames(), ", "))
		}
	}
	s.Small = s.Device == device.CPU
	if s.Sprint == "" {
		s.Sprint = beside("sprint")
	}
	return s, part, nil
}

// beside is the path of a file in this program's folder; empty if there is none.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// open opens the device that is measured.
func (s settings) open(ctx context.Context) (*device.Device, time.Duration, error) {
	began := time.Now()
	d, err := device.Open(ctx, s.Device, device.Options{CacheDir: s.Cache, Announce: func(line string) { fmt.Fprintln(os.Stderr, line) }})
	return d, time.Since(began), err
}
