package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
)

// child runs `sprint worker` and relays what it reports. The child ends when
// its standard input does, so it never outlives this process.
func (e *Executor) child(ctx context.Context, a *runs.Attempt, sink executor.Sink, extra ...string) executor.Outcome {
	digest, err := a.Digest()
	if err != nil {
		return executor.FromError(err)
	}
	args := append([]string{"worker", "--store", e.inProcess.Store.Source(), "--run", a.Run, "--stage", a.Stage, "--attempt", strconv.Itoa(a.Number), "--digest", digest}, extra...)
	cmd := exec.Command(e.Program, args...)
	cmd.Env = tuned(e.Environ)
	cmd.SysProcAttr = childAttributes()
	stderr := &tail{}
	cmd.Stderr = stderr
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return executor.FromError(err)
	}
	defer lifeline.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return executor.FromError(err)
	}
	// Pdeathsig follows the thread that started the child, so it must live on.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return executor.FromError(stages.Fail(stages.CodeEnvironment, "", "cannot start %s: %w", e.Program, err))
	}
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { e.forward(ctx, cmd, stop) })
	final := executor.Relay(stdout, sink)
	err = cmd.Wait()
	close(stop)
	watching.Wait()
	return e.outcome(ctx, a, err, cmd.ProcessState, final, stderr.String())
}

// forward turns a cancelled context into SIGTERM, and after the grace time
// or an abort into SIGKILL.
func (e *Executor) forward(ctx context.Context, cmd *exec.Cmd, stop <-chan struct{}) {
	select {
	case <-stop:
		return
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	grace := e.Grace
	if grace == 0 {
		grace = 2 * time.Minute
	}
	select {
	case <-stop:
		return
	case <-e.Abort:
	case <-time.After(grace):
	}
	_ = cmd.Process.Kill()
}

// aborted reports whether nobody waits for checkpoints any more.
func (e *Executor) aborted() bool {
	select {
	case <-e.Abort:
		return true
	default:
		return false
	}
}

// tuned adds what makes glibc use huge pages for big tensors: without it a
// training step spends a third of its time in page faults.
func tuned(env []string) []string {
	if runtime.GOOS != "linux" || slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "GLIBC_TUNABLES=") }) {
		return env
	}
	return append(env[:len(env):len(env)], "GLIBC_TUNABLES=glibc.malloc.hugetlb=1")
}

// outcome turns the end of a child into an outcome. After a last word the store
// decides. After a crash the runner looks there before it tries again.
func (e *Executor) outcome(ctx context.Context, a *runs.Attempt, err error, ps *os.ProcessState, final *executor.Message, stderr string) executor.Outcome {
	if final != nil && (final.State == runs.Succeeded || final.State == runs.Failed) && final.Code != -1 {
		m, readErr := e.inProcess.Store.Manifest(context.WithoutCancel(ctx), a.Kind, a.Key)
		if readErr == nil && m.Generation >= a.Generation {
			return executor.FromManifest(&m)
		}
		if final.State == runs.Succeeded {
			if final.Name == "preflight" {
				return executor.Outcome{State: runs.Succeeded}
			}
			return executor.FromError(fmt.Errorf("the worker of stage %s says that it is done, but: %w", a.Stage, readErr))
		}
	}
	if final != nil {
		o := executor.Outcome{State: final.State, Checkpointed: final.Saved, Cause: final.Cause}
		o.Err = &stages.Failure{Code: final.Code, Lost: final.State == runs.Lost, Hint: final.Hint, Err: errors.New(final.Text)}
		if final.State == runs.Interrupted {
			o.Err = fmt.Errorf("%s: %w", final.Text, stages.ErrInterrupted)
		}
		return o
	}
	return e.crash(ctx, a, err, ps, stderr)
}

// crash is the outcome of a child that ended without a last word.
func (e *Executor) crash(ctx context.Context, a *runs.Attempt, err error, ps *os.ProcessState, stderr string) executor.Outcome {
	if stderr != "" {
		stderr = "\n" + stderr
	}
	if signal, ok := killedBy(ps); ok {
		if ctx.Err() != nil {
			o := executor.Outcome{State: runs.Interrupted, Err: stages.ErrInterrupted}
			if e.aborted() {
				o.Err = executor.ErrAborted
			}
			return o
		}
		if signal == "killed" {
			// The kernel's out-of-memory killer leaves no other trace that
			// an ordinary user may read; a retry would end the same way only
			// if memory is short, so the message names both.
			return executor.FromError(stages.Lose(stages.CodeMemory, "lower train.batch_tokens if memory is short; the same command continues from the last checkpoint", "the worker of stage %s was killed, by the kernel for want of memory or by someone%s", a.Stage, stderr))
		}
		return executor.FromError(stages.Lose(stages.CodeStage, "the same command continues from the last checkpoint", "the worker of stage %s ended by signal: %s%s", a.Stage, signal, stderr))
	}
	return executor.FromError(fmt.Errorf("the worker of stage %s ended without a word: %w%s", a.Stage, err, stderr))
}

// tail keeps the last bytes of a stream, for the message of a crash.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 8192 {
		t.b = append(t.b[:0], t.b[len(t.b)-4096:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
