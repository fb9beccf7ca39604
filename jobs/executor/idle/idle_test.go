//go:build unix

package idle

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// sink keeps warnings, and what else is said.
type sink struct {
	mu    sync.Mutex
	warns []string
	rest  []string
}

func (s *sink) Progress(stages.Progress) {}
func (s *sink) Note(string, any)         {}

func (s *sink) Log(level slog.Level, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if level >= slog.LevelWarn {
		s.warns = append(s.warns, text)
	} else {
		s.rest = append(s.rest, text)
	}
}

func (s *sink) said() (warns, rest int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.warns), len(s.rest)
}

// smi puts a program on the PATH that says what a file holds, and counts how often.
type smi struct{ dir string }

func newSMI(t *testing.T, says string) smi {
	t.Helper()
	s := smi{t.TempDir()}
	script := fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%s/asked\ncat %s/says\n", s.dir, s.dir)
	if err := os.WriteFile(filepath.Join(s.dir, "nvidia-smi"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s.say(t, says)
	t.Setenv("PATH", s.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return s
}

// say changes it in one step: the program may be reading.
func (s smi) say(t *testing.T, text string) {
	t.Helper()
	next := filepath.Join(s.dir, "next")
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(s.dir, "says")); err != nil {
		t.Fatal(err)
	}
}

func (s smi) asked() int {
	text, _ := os.ReadFile(filepath.Join(s.dir, "asked"))
	return strings.Count(string(text), "\n")
}

// await polls until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 3000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: waited for half a minute", what)
}

func TestIdle(t *testing.T) {
	gpu, seen := newSMI(t, "0\n4\n"), &sink{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Watch{Every: 5 * time.Millisecond, After: 100 * time.Millisecond, Getenv: func(string) string { return "0,1" }}.Beside(ctx, &runs.Attempt{Device: "auto"}, seen)
	}()
	warned := func(n int) func() bool { return func() bool { w, _ := seen.said(); return w >= n } }
	looks := func(n int) {
		t.Helper()
		from := gpu.asked()
		await(t, "looks", func() bool { return gpu.asked() >= from+n })
	}
	await(t, "idle", warned(1))
	looks(30)
	if !warned(1)() || warned(2)() {
		t.Errorf("it was said again: %q", seen.warns)
	}
	gpu.say(t, "0\n5 %\n") // one of them works
	looks(3)
	gpu.say(t, "0\n0\n")
	await(t, "idle again", warned(2))
	if want := "the GPU is idle: it was used under 5 % for 100ms"; !strings.HasPrefix(seen.warns[0], want) {
		t.Errorf("%q, want %q", seen.warns[0], want)
	}
	stop()
	<-done
	text, _ := os.ReadFile(filepath.Join(gpu.dir, "asked"))
	if first, _, _ := strings.Cut(string(text), "\n"); first != "--query-gpu=utilization.gpu --format=csv,noheader,nounits --id=0,1" {
		t.Errorf("asked %q", first)
	}
}

// TestBusy: a GPU that works is never called idle.
func TestBusy(t *testing.T) {
	gpu, seen := newSMI(t, "97\n"), &sink{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		Watch{Every: time.Millisecond, After: time.Millisecond}.Beside(ctx, &runs.Attempt{}, seen)
	}()
	await(t, "looks", func() bool { return gpu.asked() > 20 })
	stop()
	<-done
	if warns, rest := seen.said(); warns+rest > 0 {
		t.Errorf("%q, %q", seen.warns, seen.rest)
	}
}

// TestUnknown: what cannot be looked at is left alone after three tries.
func TestUnknown(t *testing.T) {
	for _, says := range []string{"", "[N/A]\n", "-1\n", "101\n", "No devices were found\n", strings.Repeat("9", 1<<17)} {
		gpu, seen := newSMI(t, says), &sink{}
		Watch{Every: time.Millisecond, After: time.Nanosecond}.Beside(t.Context(), &runs.Attempt{}, seen)
		if warns, rest := seen.said(); warns != 0 || rest != 1 || gpu.asked() != 3 {
			t.Errorf("%.20q: %q, %q, asked %d times", says, seen.warns, seen.rest, gpu.asked())
		}
	}
	gpu := newSMI(t, "0\n")
	Watch{}.Beside(t.Context(), &runs.Attempt{Device: "cpu"}, &sink{})
	if gpu.asked() > 0 {
		t.Error("it looked for an attempt that demands no GPU")
	}
	t.Setenv("PATH", t.TempDir())
	Watch{}.Beside(t.Context(), &runs.Attempt{Device: "cuda"}, &sink{}) // which ends
}
