package local

import (
	"cmp"
	"context"
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
	args := append([]string{"worker", "--store", e.inProcess.Store.Source(), "--run", a.Run, "--stage", a.Stage, "--attempt", strconv.Itoa(a.Number), "--digest", digest}, slices.Concat(e.WorkerFlags, extra)...)
	cmd := exec.Command(e.Program, args...)
	cmd.Env = tuned(e.Environ)
	cmd.SysProcAttr = childAttributes()
	stderr := &ends{}
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
	watching.Go(func() { e.forward(ctx, cmd, sink, stop) })
	final := executor.Relay(stdout, sink)
	err = cmd.Wait()
	close(stop)
	watching.Wait()
	if final != nil {
		return final.Outcome(ctx, e.inProcess.Store, a)
	}
	return e.crash(ctx, a, err, cmd.ProcessState, stderr.String())
}

// forward turns a cancelled context into SIGTERM, and after the grace time
// or an abort into SIGKILL.
func (e *Executor) forward(ctx context.Context, cmd *exec.Cmd, sink executor.Sink, stop <-chan struct{}) {
	select {
	case <-stop:
		return
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-stop:
		return
	case <-e.Abort:
	case <-time.After(cmp.Or(e.Grace, executor.DefaultGrace)):
		sink.Note(executor.NoteEndedBy, executor.LimitGrace)
	}
	_ = cmd.Process.Kill()
}

// tuned adds what makes glibc use huge pages for big tensors: without it a
// training step spends a third of its time in page faults.
func tuned(env []string) []string {
	if runtime.GOOS != "linux" || slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "GLIBC_TUNABLES=") }) {
		return env
	}
	return append(env[:len(env):len(env)], "GLIBC_TUNABLES=glibc.malloc.hugetlb=1")
}

// crash is the outcome of a child that ended without a last word. It may have
// committed: the runner looks for its manifest before another try.
func (e *Executor) crash(ctx context.Context, a *runs.Attempt, err error, ps *os.ProcessState, stderr string) executor.Outcome {
	if stderr != "" {
		stderr = "\n" + stderr
	}
	if signal, ok := killedBy(ps); ok {
		if ctx.Err() != nil {
			o := executor.Outcome{State: runs.Interrupted, Err: stages.ErrInterrupted}
			select {
			case <-e.Abort: // nobody waits for checkpoints any more
				o.Err = executor.ErrAborted
			default:
			}
			return o
		}
		if signal == "killed" {
			// The kernel's out-of-memory killer leaves no other trace that
			// an ordinary user may read; a retry would end the same way only
			// if memory is short, so the message names both.
			return executor.FromError(stages.Lose(stages.CodeMemory, lessMemory(a)+" if memory is short; the same command continues from the last checkpoint", "the worker of stage %s was killed, by the kernel for want of memory or by someone%s", a.Stage, stderr))
		}
		return executor.FromError(stages.Lose(stages.CodeStage, "the same command continues from the last checkpoint", "the worker of stage %s ended by signal: %s%s", a.Stage, signal, stderr))
	}
	// What the Go runtime says when it is given no memory, before it aborts.
	if strings.Contains(stderr, "out of memory") || strings.Contains(stderr, "cannot allocate memory") {
		return executor.FromError(stages.Fail(stages.CodeMemory, lessMemory(a)+", or give it more memory", "the worker of stage %s got no more memory%s", a.Stage, stderr))
	}
	return executor.FromError(fmt.Errorf("the worker of stage %s ended without a word: %w%s", a.Stage, err, stderr))
}

// lessMemory says how a stage takes less.
func lessMemory(a *runs.Attempt) string {
	if a.Kind == "fetch" {
		return "split its files"
	}
	return "lower train.batch_tokens"
}

// ends keeps the first and the last bytes of a stream, for the message of a crash: it
// begins with the cause, and a long trace follows. It is for one goroutine at a time:
// what it kept is read when the child has ended.
type ends struct{ first, last []byte }

func (e *ends) Write(p []byte) (int, error) {
	n := min(len(p), 1024-len(e.first))
	e.first = append(e.first, p[:n]...)
	e.last = append(e.last, p[n:]...)
	if len(e.last) > 8192 {
		e.last = append(e.last[:0], e.last[len(e.last)-4096:]...)
	}
	return len(p), nil
}

func (e *ends) String() string { return strings.TrimSpace(string(e.first) + string(e.last)) }
