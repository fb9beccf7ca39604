package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// States of a part.
const (
	stateOK      = "ok"
	stateFailed  = "failed"
	stateTimeout = "timeout"
	stateSkipped = "skipped"
)

// figures are what a part found, by name. A part may say them several times: each time
// counts over the last, so that one that is ended leaves what it had.
type figures map[string]any

// part is one measurement.
type part struct {
	name  string
	about string
	limit time.Duration
	run   func(ctx context.Context, s settings, say func(figures)) error
}

// parts are in the order of what they cost; each says by errSkip that it does not apply.
func parts() []part {
	return []part{
		{"device", "open the device and name it", time.Minute, openDevice},
		{"parity", "a batch's vectors beside the pure-Go ones", time.Minute, parity},
		{"steps", "training steps of a 6-layer encoder", 90 * time.Second, smallSteps},
		{"inference", "texts per second of a 6-layer encoder", time.Minute, inference},
		{"curve", "the losses of 50 steps, twice and beside the pure-Go ones", time.Minute, curve},
		{"run", "a whole run of sprint, and one that is killed -9 and continued", 120 * time.Second, sprintRuns},
		{"memory", "a batch too large for the memory, halved until it fits", 90 * time.Second, memory},
		{"large", "training steps of BERT-base", 90 * time.Second, largeSteps},
		{"torch", "the same steps in PyTorch", 2 * time.Minute, torch},
		{"compiled", "the same steps in PyTorch with torch.compile", 2 * time.Minute, torchCompiled},
	}
}

func partNames() []string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

func find(name string) (part, bool) {
	all := parts()
	i := slices.IndexFunc(all, func(p part) bool { return p.name == name })
	if i < 0 {
		return part{}, false
	}
	return all[i], true
}

// skipError says why a part does not apply here.
type skipError struct{ why string }

func (e *skipError) Error() string { return e.why }

func skip(format string, args ...any) error { return &skipError{fmt.Sprintf(format, args...)} }

// result is what the file says of a part.
type result struct {
	Name    string  `json:"name"`
	About   string  `json:"about"`
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
	Message string  `json:"message,omitempty"`
	Figures figures `json:"figures,omitempty"`
}

// report is the file.
type report struct {
	Began   time.Time `json:"began"`
	Machine machine   `json:"machine"`
	Device  string    `json:"device"`
	Minutes float64   `json:"minutes"`
	Parts   []result  `json:"parts"`
}

type machine struct {
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Cores int    `json:"cores"`
	Go    string `json:"go"`
}

// last is a line of a part's standard output.
type last struct {
	Figures figures `json:"figures"`
	Error   string  `json:"error,omitempty"`
	Skipped string  `json:"skipped,omitempty"`
}

// runPart runs one part in this process.
func runPart(ctx context.Context, name string, s settings, stdout, stderr io.Writer) int {
	p, _ := find(name) // parse has looked
	out := json.NewEncoder(stdout)
	var so figures
	say := func(f figures) {
		so = f
		_ = out.Encode(last{Figures: f}) // the reader may be gone, and then ends this process
	}
	err := p.run(ctx, s, say)
	if skipped, ok := errors.AsType[*skipError](err); ok {
		_ = out.Encode(last{Figures: so, Skipped: skipped.why})
		return 0
	}
	if err != nil {
		_ = out.Encode(last{Figures: so, Error: err.Error()})
		fmt.Fprintln(stderr, "gpu:", err)
		return 1
	}
	return 0
}

// runAll runs the parts, each in a child process, and keeps the file.
func runAll(ctx context.Context, s settings, stdout, stderr io.Writer) int {
	r := report{Began: time.Now().UTC().Truncate(time.Second), Device: s.Device, Minutes: s.Minutes,
		Machine: machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}}
	end := time.Now().Add(time.Duration(s.Minutes * float64(time.Minute)))
	code := 0
	for _, p := range parts() {
		if len(s.Only) > 0 && !slices.Contains(s.Only, p.name) {
			continue
		}
		limit := min(p.limit, time.Until(end))
		one := result{Name: p.name, About: p.about, State: stateSkipped, Message: "no time is left; -minutes gives more"}
		if limit > 5*time.Second {
			one = child(ctx, p, s, limit, stderr)
		}
		r.Parts = append(r.Parts, one)
		fmt.Fprintf(stdout, "%-10s %-8s %5.1f s  %s\n", one.Name, one.State, one.Seconds, oneLine(one))
		if err := write(s.Out, r); err != nil {
			fmt.Fprintln(stderr, "gpu:", err)
			return 1
		}
		switch {
		case ctx.Err() != nil:
			return 130
		case one.State == stateFailed && p.name == "device":
			return 4
		case one.State == stateFailed || one.State == stateTimeout:
			code = 1
		}
	}
	return code
}

// oneLine is what people read of a part.
func oneLine(r result) string {
	if r.Message != "" {
		return strings.SplitN(r.Message, "\n", 2)[0]
	}
	text, err := json.Marshal(r.Figures)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// child runs a part as a process of its own, ends it and all that it started at the limit, and
// reads what it said until then.
func child(ctx context.Context, p part, s settings, limit time.Duration, stderr io.Writer) result {
	r := result{Name: p.name, About: p.about, State: stateFailed}
	self, err := os.Executable()
	if err != nil {
		r.Message = err.Error()
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-part", p.name, "-device", s.Device, "-sprint", s.Sprint, "-python", s.Python, "-cache", s.Cache)
	// Huge pages halve the page faults of a training step, and glibc reads this at the start.
	cmd.Env = append(os.Environ(), "GLIBC_TUNABLES=glibc.malloc.hugetlb=1")
	killAsGroup(cmd)
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, stderr
	began := time.Now()
	err = cmd.Run()
	r.Seconds = round(time.Since(began).Seconds(), 1)
	said := lastLine(out.Bytes())
	r.Figures = said.Figures
	switch {
	case ctx.Err() != nil:
		r.State, r.Message = stateTimeout, fmt.Sprintf("it was ended after %.0f s", limit.Seconds())
	case said.Skipped != "":
		r.State, r.Message = stateSkipped, said.Skipped
	case said.Error != "":
		r.Message = said.Error
	case err != nil:
		r.Message = "it ended without a word: " + err.Error()
	default:
		r.State = stateOK
	}
	return r
}

// lastLine is the last whole line of a part.
func lastLine(out []byte) (l last) {
	for line := range bytes.Lines(out) {
		var one last
		if json.Unmarshal(line, &one) == nil {
			l = one
		}
	}
	return l
}

// write replaces the file in one step.
func write(path string, r report) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone once it was renamed
	if _, err := f.Write(append(data, '\n')); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
