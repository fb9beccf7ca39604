package train

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/faultstore"
)

// childEnv makes a copy of the test binary train once and die as told.
const childEnv = "SPRINT_TEST_TRAIN"

// child is one life of a training.
type child struct {
	Store, Encoder, Device string
	Op                     int             // the store operation to die at; 0 is none
	Mode                   faultstore.Mode // before or after it
	Step                   int             // the training step to die after; 0 is none
}

// outcome is what a life that ended well reports.
type outcome struct {
	Outputs map[string]string
	Ops     int
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
	faults := faultstore.New(faultstore.At(c.Op, c.Mode))
	s, err := storage.Open(t.Context(), "file://"+c.Store, &storage.Options{Around: faults.Around, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	o := options(c.Encoder)
	o.Epochs, o.Checkpoint = 2, 3
	a := attempt(t, o)
	a.Store = s
	env := a.Env
	steps := 0
	a.Env = func(e *stages.Env) {
		env(e)
		e.Device = c.Device
		e.Progress = func(p stages.Progress) {
			if p.Unit != "steps" {
				return
			}
			if steps++; c.Step > 0 && int(p.Done) >= c.Step {
				self, err := os.FindProcess(os.Getpid())
				if err == nil {
					err = self.Kill()
				}
				t.Error(err)
				select {}
			}
		}
	}
	r := stagetest.MustRun(t, a)
	out := outcome{Outputs: map[string]string{}, Ops: len(faults.Ops()), Steps: steps}
	for name, a := range r.Outputs {
		out.Outputs[name] = a.Digest
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(outcomeMark + string(b))
}

// live runs a child and reports how it ended; ok says that it was not killed.
func live(t *testing.T, c child) (out outcome, ok bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	arg, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(arg))
	b, err := cmd.CombinedOutput()
	if err == nil {
		_, rest, found := strings.Cut(string(b), outcomeMark)
		line, _, _ := strings.Cut(rest, "\n")
		if !found || json.Unmarshal([]byte(line), &out) != nil {
			t.Fatalf("%+v says: %s", c, b)
		}
		return out, true
	}
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("%+v: %v\n%s", c, err, b)
	}
	return out, false
}

// TestKilled kills trainings with SIGKILL before and after operations of the
// store, which is at every checkpoint, in the middle of one and between, and
// after random steps. Whoever continues ends with the bytes of the undisturbed
// one, and makes no more steps again than lie between two checkpoints.
func TestKilled(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		return
	}
	for _, k := range kills {
		t.Run(k.device, func(t *testing.T) { k.run(t) })
	}
}

// killing is how often a training is killed on a device: at every stride-th
// operation of the store, and after random steps.
type killing struct {
	device        string
	stride, steps int
}

func (k killing) run(t *testing.T) {
	encoder := encodertest.Tiny(t)
	fresh := func() child {
		return child{Store: filepath.Join(t.TempDir(), "store"), Encoder: encoder, Device: k.device}
	}
	want, ok := live(t, fresh())
	if !ok {
		t.Fatal("the undisturbed training was killed")
	}
	check := func(what string, got outcome) {
		t.Helper()
		for name, digest := range want.Outputs {
			if got.Outputs[name] != digest {
				t.Errorf("%s: %s differs", what, name)
			}
		}
	}
	killed := 0
	for op := 1; k.stride > 0 && op <= want.Ops; op += k.stride {
		for _, mode := range []faultstore.Mode{faultstore.KillBefore, faultstore.KillAfter} {
			c := fresh()
			c.Op, c.Mode = op, mode
			if _, ok := live(t, c); ok && mode == faultstore.KillBefore {
				t.Fatalf("operation %d did not kill", op)
			}
			killed++
			c.Op = 0
			got, _ := live(t, c)
			check(fmt.Sprintf("%s of operation %d of %d", mode, op, want.Ops), got)
		}
	}
	rng := rand.New(rand.NewPCG(1, 7))
	again := 0
	for range k.steps {
		c := fresh()
		c.Step = 1 + rng.IntN(want.Steps)
		if _, ok := live(t, c); ok {
			t.Fatalf("step %d did not kill", c.Step)
		}
		killed++
		at := c.Step
		c.Step = 0
		got, _ := live(t, c)
		check(fmt.Sprintf("killed after step %d", at), got)
		again = max(again, got.Steps-(want.Steps-at))
	}
	if again > 3 {
		t.Errorf("%d steps were made again, a checkpoint is every 3", again)
	}
	t.Logf("%d kills, at most %d steps of %d made again, %d operations of the store", killed, again, want.Steps, want.Ops)
}
