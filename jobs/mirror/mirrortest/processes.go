package mirrortest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/storage/models"
)

// Processes are real ones that bring a registry up to date, and are killed at it.
type Processes struct {
	Subject
	// Push is the command that brings the mirror of Model at a server up to date, of the
	// store in a folder. It is not started.
	Push func(t *testing.T, store string, server Server) *exec.Cmd
	// Time is about how long processes are killed.
	Time time.Duration
}

// Words are those of the command that brings one mirror of Model up to date, as the publish
// stage of a plan lists it by http. The store is to be added.
func Words(plan, to string) []string {
	return []string{"models", "mirror", plan, "--set", "publish.name=" + Model, "--set", fmt.Sprintf("publish.mirror=[{to: %q, plain: true}]", to)}
}

// Run kills processes at random moments of their work on an empty registry, and while an
// alias moves there: what is shown is whole, and the next one leaves what one leaves that
// was not killed. Then two work at once.
func (p Processes) Run(t *testing.T) {
	calm := p.fresh(t)
	p.ends(t, calm)
	calm = p.fresh(t) // the first warms what both read
	whole := p.ends(t, calm)
	want, killed, rounds := calm.server.Things(t), 0, 0
	for end := time.Now().Add(p.Time); rounds < 2 || time.Now().Before(end) || killed == 0 && rounds < 6; rounds++ {
		w := p.fresh(t)
		for range 2 {
			killed += w.kill(t, p.start(t, w), &whole)
			for _, name := range []string{"1", "2", models.Champion, models.Latest} {
				if w.server.Files(t, name) != nil {
					w.shows(t, map[string]string{name: both[name]})
				}
			}
		}
		p.ends(t, w)
		w.shows(t, both)
		if got := w.server.Things(t); !slices.Equal(got, want) {
			t.Errorf("after two that were killed there are %v, want %v", got, want)
		}
		w.alias(t, models.Champion, 2)
		killed += w.kill(t, p.start(t, w), &whole)
		if files := w.server.Files(t, models.Champion); files != nil && files["config.json"] != w.trees["1"]["config.json"] {
			w.shows(t, map[string]string{models.Champion: "2"})
		}
		p.ends(t, w)
		w.shows(t, map[string]string{"1": "1", "2": "2", models.Champion: "2", models.Latest: "2"})
	}
	t.Logf("%d of %d processes were killed, one takes %s", killed, 3*rounds, whole.Round(time.Millisecond))
	if killed == 0 {
		t.Error("no process was killed at its work")
	}
	w := p.fresh(t)
	var pushing sync.WaitGroup
	for range 2 {
		one := p.start(t, w)
		pushing.Go(func() {
			if err := one.cmd.Wait(); err != nil {
				t.Errorf("one of two at once: %v: %s", err, one.said.String())
			}
		})
	}
	pushing.Wait()
	w.shows(t, both)
	if got := w.server.Things(t); !slices.Equal(got, want) {
		t.Errorf("after two at once there are %v, want %v", got, want)
	}
}

// fresh is a world with a store on the disk and an empty registry.
func (p Processes) fresh(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := p.worldOn(t, dir)
	w.folder = dir
	return w
}

// process is one that was started, and what it says.
type process struct {
	cmd  *exec.Cmd
	said bytes.Buffer
}

func (p Processes) start(t *testing.T, w *world) *process {
	t.Helper()
	one := &process{cmd: p.Push(t, w.folder, w.server)}
	one.cmd.Stdout, one.cmd.Stderr = &one.said, &one.said
	if err := one.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return one
}

// ends wants a process to end with 0, and returns how long it took.
func (p Processes) ends(t *testing.T, w *world) time.Duration {
	t.Helper()
	began, one := time.Now(), p.start(t, w)
	if err := one.cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, one.said.String())
	}
	return time.Since(began)
}

// kill kills a process at some moment of the time that one takes, of which the first part is
// its own start, and returns how many were killed. One that ended before tells how long one
// takes at most: that which was timed may have met a busy server.
func (w *world) kill(t *testing.T, one *process, whole *time.Duration) int {
	t.Helper()
	began := time.Now()
	timer := time.AfterFunc(time.Duration((0.2+0.7*rand.Float64())*float64(*whole)), func() { _ = one.cmd.Process.Kill() })
	defer timer.Stop()
	err := one.cmd.Wait()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() < 0 {
		return 1
	}
	if err != nil {
		t.Fatalf("%v: %s", err, one.said.String())
	}
	*whole = min(*whole, time.Since(began))
	return 0
}
