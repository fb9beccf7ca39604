package train

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// childEnv makes a copy of the test binary train once and die as told.
const childEnv = "SPRINT_TEST_TRAIN"

// child is one life of a training.
type child struct {
	Store, Encoder, Device string
	Op                     int           // the store operation to die at; 0 is none
	Mode                   faults.Mode   // before or after it
	Step                   int           // the training step to die after; 0 is none
	Save                   int           // the checkpoint to die in; 0 is none
	Torn                   bool          // that one is committed with half of its state
	Delay                  time.Duration // else: from its begin to the death
}

// outcome is what a life that ended well reports.
type outcome struct {
	Outputs map[string]string
	Ops     int
	Saves   int
	Steps   int // made in this life
}

const outcomeMark = "outcome: "

// TestChild is not a test of its own: it is the life of a training in
// TestKilled.
func TestChild(t *testing.T) {
	var c child
	if json.Unmarshal([]byte(os.Getenv(childEnv)), &c) != nil {
		return
	}
	injector := faults.New(faults.At(c.Op, c.Mode))
	s, err := storage.Open(t.Context(), "file://"+c.Store, &storage.Options{Around: injector.Around, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	o := options(c.Encoder)
	o.Epochs, o.Checkpoint = 2, interval
	o.MaskRules, o.MaskRandom = 0.5, 0.2 // drawn anew in every epoch
	a := attempt(t, o)
	a.Store = s
	env := a.Env
	steps, saves := 0, 0
	a.Env = func(e *stages.Env) {
		env(e)
		e.Device = c.Device
		e.Checkpoints = &dying{e.Checkpoints, t, c, &saves}
		e.Progress = func(p stages.Progress) {
			if p.Unit != "steps" {
				return
			}
			if steps++; c.Step > 0 && int(p.Done) >= c.Step {
				die(t)
			}
		}
	}
	r := stagetest.MustRun(t, a)
	out := outcome{Outputs: map[string]string{}, Ops: len(injector.Ops()), Saves: saves, Steps: steps}
	for name, a := range r.Outputs {
		out.Outputs[name] = a.Digest
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(outcomeMark + string(b))
}

// die ends the process as SIGKILL does, because it is that.
func die(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	t.Error(err)
	select {}
}

// dying is a store of checkpoints that a process does not survive.
type dying struct {
	stages.Checkpoints
	t     *testing.T
	c     child
	saves *int
}

func (d *dying) Save(ctx context.Context, step int64, dir string) error {
	if *d.saves++; *d.saves != d.c.Save {
		return d.Checkpoints.Save(ctx, step, dir)
	}
	if d.c.Torn { // a folder that was not written to its end, and yet committed
		state := filepath.Join(dir, "state.safetensors")
		info, err := os.Stat(state)
		if err == nil {
			err = os.Truncate(state, info.Size()/2)
		}
		if err == nil {
			err = d.Checkpoints.Save(ctx, step, dir)
		}
		if err != nil {
			d.t.Error(err)
		}
		die(d.t)
	}
	time.AfterFunc(d.c.Delay, func() { die(d.t) })
	if err := d.Checkpoints.Save(ctx, step, dir); err != nil {
		return err
	}
	select {} // dies right after
}

// live runs a child and reports how it ended; ok says that it was not killed.
func live(t *testing.T, c child) (out outcome, ok bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Error(err)
	}
	arg, err := json.Marshal(c)
	if err != nil {
		t.Error(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(arg))
	b, err := cmd.CombinedOutput()
	if err == nil {
		_, rest, found := strings.Cut(string(b), outcomeMark)
		line, _, _ := strings.Cut(rest, "\n")
		if !found || json.Unmarshal([]byte(line), &out) != nil {
			t.Errorf("%+v says: %s", c, b)
		}
		return out, true
	}
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Errorf("%+v: %v\n%s", c, err, b)
	}
	return out, false
}

// TestKilled kills trainings with SIGKILL before and after operations of the
// store, which is at every checkpoint, in the middle of one and between, while
// checkpoints are written, and after random steps. Whoever continues ends with
// the bytes of the undisturbed one, and makes no more steps again than lie
// between two checkpoints.
func TestKilled(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		return
	}
	for _, k := range kills {
		t.Run(k.device, func(t *testing.T) { k.run(t) })
	}
}

// killing is how often a training is killed on a device: before and after every
// stride-th operation of the store, in every stride-th checkpoint, and after
// random steps.
type killing struct {
	device        string
	stride, steps int
}

// interval is the number of steps between two checkpoints of a child.
const interval = 3

func (k killing) run(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a killed process looks like one that ended with 1")
	}
	encoder := encodertest.Tiny(t)
	fresh := func() child {
		return child{Store: filepath.Join(t.TempDir(), "store"), Encoder: encoder, Device: k.device}
	}
	want, ok := live(t, fresh())
	if !ok {
		t.Fatal("the undisturbed training was killed")
	}
	var deaths []child
	for op := 1; op <= want.Ops; op += k.stride {
		for _, mode := range []faults.Mode{faults.KillBefore, faults.KillAfter} {
			c := fresh()
			c.Op, c.Mode = op, mode
			deaths = append(deaths, c)
		}
	}
	for save := 1; save <= want.Saves; save += k.stride {
		for _, delay := range []time.Duration{-1, 0, 300 * time.Microsecond, time.Millisecond, 3 * time.Millisecond} {
			c := fresh()
			c.Save, c.Torn, c.Delay = save, delay < 0, delay
			deaths = append(deaths, c)
		}
	}
	rng := rand.New(rand.NewPCG(1, 7))
	for range k.steps {
		c := fresh()
		c.Step = 1 + rng.IntN(want.Steps)
		deaths = append(deaths, c)
	}
	killed, again := 0, 0
	var mu sync.Mutex
	var lives sync.WaitGroup
	turn := make(chan bool, runtime.NumCPU())
	for _, c := range deaths {
		turn <- true
		lives.Go(func() {
			defer func() { <-turn }()
			what := fmt.Sprintf("%s of operation %d, checkpoint %d (torn %v, after %v), step %d", c.Mode, c.Op, c.Save, c.Torn, c.Delay, c.Step)
			first, ok := live(t, c)
			if ok && (c.Step > 0 || c.Op > 0 && c.Mode == faults.KillBefore && c.Op <= first.Ops) {
				t.Errorf("%s did not kill", what)
			}
			next := c
			next.Op, next.Save, next.Step = 0, 0, 0
			got, ok := live(t, next)
			if !ok {
				t.Errorf("%s: the next life ends too", what)
			}
			for name, digest := range want.Outputs {
				if got.Outputs[name] != digest {
					t.Errorf("%s: %s differs", what, name)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			killed++
			if c.Step > 0 {
				again = max(again, got.Steps-(want.Steps-c.Step))
			}
		})
	}
	lives.Wait()
	if again > interval {
		t.Errorf("%d steps were made again, a checkpoint is every %d", again, interval)
	}
	t.Logf("resume: %d kills -9, at most %d of %d steps redone, a checkpoint every %d; %d operations of the store, %d checkpoints", killed, again, want.Steps, interval, want.Ops, want.Saves)
}
