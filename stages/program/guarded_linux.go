package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// errNoGuard says that there is no guard: nothing was started.
var errNoGuard = errors.New("there is no guard")

// guarded is a program below a guard, seen from the runner.
type guarded struct {
	guard    *exec.Cmd
	lifeline *os.File
	said     chan string   // what the guard says at the program's end
	copied   chan struct{} // closed: nobody holds the output any more
	outputs  []*os.File
}

// startGuarded starts the program of cmd below a guard, which is the program sprint.
func startGuarded(cmd *exec.Cmd, sprint string) (*guarded, error) {
	if sprint == "" || parentOf(os.Getpid()) == 0 {
		return nil, errNoGuard
	}
	var open []*os.File
	defer func() {
		for _, f := range open {
			_ = f.Close()
		}
	}()
	var ends [4][2]*os.File // lifeline, status, stdout, stderr
	for i := range ends {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, errNoGuard
		}
		ends[i] = [2]*os.File{r, w}
		open = append(open, r, w)
	}
	g := &guarded{guard: exec.Command(sprint, append([]string{GuardWord, cmd.Path}, cmd.Args...)...), said: make(chan string, 1), copied: make(chan struct{})}
	g.guard.Env, g.guard.Dir = cmd.Env, cmd.Dir
	g.guard.Stdin, g.guard.Stdout, g.guard.Stderr = cmd.Stdin, ends[2][1], ends[3][1]
	g.guard.ExtraFiles = []*os.File{ends[0][0], ends[1][1]}
	g.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.guard.Start(); err != nil {
		return nil, errNoGuard
	}
	open = []*os.File{ends[0][0], ends[1][1], ends[2][1], ends[3][1]}
	g.lifeline, g.outputs = ends[0][1], []*os.File{ends[2][0], ends[3][0]}
	go func() {
		defer ends[1][0].Close()
		b, _ := io.ReadAll(ends[1][0]) // what is cut is no word
		g.said <- string(b)
		close(g.said)
	}()
	var copies sync.WaitGroup
	for i, to := range []io.Writer{cmd.Stdout, cmd.Stderr} {
		copies.Go(func() { _, _ = io.Copy(to, g.outputs[i]) }) // it ends when the pipe does
	}
	go func() {
		copies.Wait()
		close(g.copied)
	}()
	return g, nil
}

// wait waits for the program, and up to the grace time for its children that hold
// its output. A cancelled ctx asks it to end within the grace time. Nothing below
// the guard is left afterwards.
func (g *guarded) wait(ctx context.Context, path string, grace time.Duration) (ended, error) {
	var word string
	var over <-chan time.Time
	expired := false
	select {
	case word = <-g.said:
		over = time.After(grace)
	case <-ctx.Done():
		over = time.After(grace)
		_, _ = g.lifeline.Write([]byte{0}) // a guard that is gone has ended the program
		select {
		case word = <-g.said:
		case <-over:
			expired = true
		}
	}
	if !expired {
		select {
		case <-g.copied:
		case <-over:
			expired = true
		}
	}
	died := g.end()
	if word == "" {
		word = <-g.said
	}
	var number int
	switch {
	case word == "" && died != nil:
		return ended{}, fmt.Errorf("its guard ended: %w", died)
	case strings.HasPrefix(word, "failed "):
		_, _ = fmt.Sscanf(word, "failed %d", &number)
		return ended{}, &os.PathError{Op: "fork/exec", Path: path, Err: syscall.Errno(number)}
	}
	_, _ = fmt.Sscanf(word, "ended %d", &number)
	status := syscall.WaitStatus(number)
	if status == 0 && expired {
		return ended{}, exec.ErrWaitDelay
	}
	return endedBy(status), nil
}

// end kills what is left.
func (g *guarded) end() error {
	_ = g.lifeline.Close()
	late := time.AfterFunc(2*guardTime, func() { _ = g.guard.Process.Kill() })
	err := g.guard.Wait()
	late.Stop()
	// Only who has escaped can hold the output now.
	select {
	case <-g.copied:
	case <-time.After(time.Second):
	}
	for _, f := range g.outputs {
		_ = f.Close()
	}
	<-g.copied
	return err
}

// endedBy says what a wait status means, in the words of os.ProcessState.
func endedBy(status syscall.WaitStatus) ended {
	if !status.Signaled() {
		return ended{status.ExitStatus(), fmt.Sprintf("exit status %d", status.ExitStatus())}
	}
	how := "signal: " + status.Signal().String()
	if status.CoreDump() {
		how += " (core dumped)"
	}
	return ended{-1, how}
}

// run runs a program below a guard, or without one in a group.
func run(ctx context.Context, cmd *exec.Cmd, sprint string) (ended, error) {
	switch {
	case cmd.Err != nil:
		return ended{}, cmd.Err
	case ctx.Err() != nil:
		return ended{}, ctx.Err()
	}
	g, err := startGuarded(cmd, sprint)
	if err != nil {
		return runInGroup(cmd)
	}
	return g.wait(ctx, cmd.Path, cmd.WaitDelay)
}
