//go:build unix

package skytest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// job is a managed job: a controller that runs its script, again where it must.
type job struct {
	number    int
	name      string
	submitted time.Time
	secrets   map[string]string
	file      struct {
		Env       map[string]string `json:"envs"`
		Run       string            `json:"run"`
		Resources struct {
			Recovery struct {
				Max   int   `json:"max_restarts_on_errors"`
				Codes []int `json:"recover_on_exit_codes"`
			} `json:"job_recovery"`
		} `json:"resources"`
	}
	forgotten bool // guarded by the server

	mu       sync.Mutex
	state    string
	failure  string
	restarts int
	started  time.Time
	ended    time.Time
	cmd      *exec.Cmd
	asked    bool // to end
	output   bytes.Buffer
	done     chan struct{}
}

// run is what the controller does.
func (j *job) run() {
	defer close(j.done)
	for {
		cmd := exec.Command("bash", "-c", j.file.Run)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}
		for _, set := range []map[string]string{j.file.Env, j.secrets} {
			for name, value := range set {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
		}
		cmd.SysProcAttr, cmd.WaitDelay = &syscall.SysProcAttr{Setpgid: true}, time.Second
		out := &log{j: j}
		cmd.Stdout, cmd.Stderr = out, out
		j.mu.Lock()
		if j.asked {
			j.finish("CANCELLED", "")
			j.mu.Unlock()
			return
		}
		err := cmd.Start()
		if err != nil {
			j.finish("FAILED_SETUP", err.Error())
			j.mu.Unlock()
			return
		}
		j.cmd, j.started = cmd, time.Now()
		if j.state == "PENDING" || j.state == "RECOVERING" {
			j.state = "RUNNING"
		}
		j.mu.Unlock()
		_ = cmd.Wait() // its state tells
		// The machine goes, with all that runs there.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if !j.restart(cmd.ProcessState) {
			return
		}
	}
}

// restart notes the end of the script, and reports whether it is run again.
func (j *job) restart(end *os.ProcessState) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cmd = nil
	code := end.ExitCode()
	taken := code < 0 // bash itself was killed
	switch {
	case strings.HasPrefix(j.state, "FAILED"): // it was made to
		j.finish(j.state, j.failure)
	case j.asked:
		j.finish("CANCELLED", "")
	case code == 0:
		j.finish("SUCCEEDED", "")
	case taken || slices.Contains(j.file.Resources.Recovery.Codes, code):
		j.state = "RECOVERING"
		j.restarts++
		return true
	default:
		j.finish("FAILED", fmt.Sprintf("Job exited with exit code %d (user program failure). To see the details, run: sky jobs logs --controller %d", code, j.number))
	}
	return false
}

// finish is the last state. The caller holds the lock.
func (j *job) finish(state, failure string) { j.state, j.failure, j.ended = state, failure, time.Now() }

// end is `sky jobs cancel`.
func (j *job) end(grace time.Duration) {
	j.cancel(syscall.SIGTERM)
	select {
	case <-j.done:
	case <-time.After(grace):
		j.signal(syscall.SIGKILL)
	}
}

func (j *job) cancel(signal syscall.Signal) {
	j.mu.Lock()
	j.asked = true
	if j.ended.IsZero() {
		j.state = "CANCELLING"
	}
	j.mu.Unlock()
	j.signal(signal)
}

func (j *job) signal(signal syscall.Signal) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cmd != nil && j.cmd.Process != nil {
		_ = syscall.Kill(-j.cmd.Process.Pid, signal)
	}
}

// view is a record as the queue shows it.
func (j *job) view() map[string]any {
	j.mu.Lock()
	defer j.mu.Unlock()
	stamp := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return float64(t.UnixNano()) / 1e9
	}
	infra, machine := any("-"), any("-")
	if !j.started.IsZero() {
		infra, machine = "AWS (us-east-1a)", "1x(cpus=4, m6i.xlarge, ...)"
	}
	failure := any(nil)
	if j.failure != "" {
		failure = j.failure
	}
	return map[string]any{
		"task_job_id": nil, "job_id": j.number, "task_id": 0, "job_name": j.name, "task_name": j.name, "workspace": "default", "status": j.state,
		"schedule_state": "ALIVE", "resources": "1x[CPU:4+]", "cluster_resources": machine, "infra": infra, "recovery_count": j.restarts,
		"details": nil, "failure_reason": failure, "submitted_at": stamp(j.submitted), "start_at": stamp(j.started), "end_at": stamp(j.ended), "metadata": map[string]any{},
	}
}

// logs are the lines so far, as `sky jobs logs` shows them.
func (j *job) logs() Answer {
	j.mu.Lock()
	defer j.mu.Unlock()
	a := Answer{}
	for line := range strings.Lines(j.output.String()) {
		a.Stdout += fmt.Sprintf("\x1b[36m(%s, pid=%d)\x1b[0m %s", j.name, 1000+j.number, line)
	}
	if j.state == "FAILED" {
		a.Code = 100
	}
	return a
}

// log keeps the first megabyte of what a job prints.
type log struct{ j *job }

func (l *log) Write(p []byte) (int, error) {
	l.j.mu.Lock()
	defer l.j.mu.Unlock()
	if room := 1<<20 - l.j.output.Len(); room > 0 {
		l.j.output.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}
