package jobs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage/storagetest/faults"
)

// kills are the ways to die at an operation.
var kills = []faults.Mode{faults.KillBefore, faults.KillAfter, faults.KillLost}

// TestKillEveryOperation kills a real child before, after, and after with a
// lost reply, of the operations of sixPlan on its store: of every one in the
// longest tier, of some in the shorter ones.
func TestKillEveryOperation(t *testing.T) {
	everywhere(t, func(t *testing.T, url func() string) {
		step := []int{37, 7, 1}[jobstest.Tier]
		if !strings.HasSuffix(t.Name(), "file") {
			step = []int{61, 7, 1}[jobstest.Tier]
		}
		killMatrix(t, url, step, nil)
	})
}

// TestKillEveryOperationOfAWorker kills the worker of the isolated stage: its
// runner finds out and brings the run to its end by itself.
func TestKillEveryOperationOfAWorker(t *testing.T) {
	url := func() string { return filepath.Join(t.TempDir(), "store") }
	want := sixReference(t, url())
	killed := 0
	for n := 1; ; n++ {
		if jobstest.Tier == 0 && n%6 != 1 {
			continue
		}
		done := true
		for _, mode := range kills {
			dir, store, fault := t.TempDir(), url(), fmt.Sprintf("%s@%d", mode, n)
			log := filepath.Join(dir, "ops")
			cmd := exec.Command(os.Args[0], "play-six", dir, store)
			cmd.Env = append(os.Environ(), "TOY_ISOLATED=1", jobstest.WorkerFaults+"="+fault, "TOY_WORKER_OPS="+log)
			out, err := cmd.Output()
			var got sixReport
			if err != nil || json.Unmarshal(out, &got) != nil || got.Code != 0 {
				t.Errorf("worker %s: %v %s", fault, err, out)
				continue
			}
			ops, _ := os.ReadFile(log)
			if strings.Count(string(ops), "\n") >= n {
				done = false
				killed++
			}
			if d := cmp.Diff(want.Digests, got.Digests); d != "" {
				t.Errorf("worker %s: outputs differ: %s", fault, d)
			}
		}
		if done || n > 500 {
			break
		}
	}
	t.Logf("%d workers killed", killed)
	if killed == 0 {
		t.Error("no worker was ever killed")
	}
}

// killMatrix tries every step-th case of the matrix operation x way to die.
func killMatrix(t *testing.T, url func() string, step int, env []string) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a killed process looks like one that ended with 1")
	}
	want := sixReference(t, url())
	var cases []string
	for n := 1; n <= want.Ops; n++ {
		for _, mode := range kills {
			cases = append(cases, fmt.Sprintf("%s@%d", mode, n))
		}
	}
	if one := os.Getenv(faults.Env); one != "" { // a replay
		cases, step = []string{one}, 1
	}
	offset := int(time.Now().UnixNano() % int64(step))
	var mu sync.Mutex
	var wg sync.WaitGroup
	killed, ended := 0, 0
	slots := make(chan struct{}, 2)
	for i := offset; i < len(cases); i += step {
		slots <- struct{}{}
		fault, store := cases[i], url()
		dir := t.TempDir()
		wg.Go(func() {
			defer func() { <-slots }()
			cmd := exec.Command(os.Args[0], "play-six", dir, store)
			cmd.Env = append(append(os.Environ(), env...), faults.Env+"="+fault)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			mu.Lock()
			switch {
			case err == nil:
				ended++ // it needed fewer operations than the reference
			case errors.As(err, &exit) && exit.ExitCode() == -1:
				killed++
			default:
				t.Errorf("%s: %v: %s", fault, err, out)
			}
			mu.Unlock()
			wholeSix(t, fmt.Sprintf("replay with %s=%s", faults.Env, fault), dir, store, want, nil)
		})
	}
	wg.Wait()
	t.Logf("%d operations; of %d children %d were killed and %d ended before", want.Ops, killed+ended, killed, ended)
	if killed == 0 || ended > killed/10 {
		t.Errorf("%d of %d children were killed", killed, killed+ended)
	}
}
