// Package program runs the programs that plans name.
//
// program.go runs one and logs its lines without its secrets, log.go bounds how many.
// guard_linux.go is a process that nothing below it outlives, guarded_linux.go its runner's
// side; group_*.go and orphans_*.go end what was left running where there is none.
package program

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
)

// baseVariables are the variables that every program gets: without them hardly any starts.
var baseVariables = []string{"PATH", "HOME", "LANG", "TMPDIR", "SystemRoot", "TEMP", "TMP"}

// maxLine caps one line of the log; the rest of it is logged as further lines.
const maxLine = 8 << 10

// GuardWord is the command of sprint that is a guard.
const GuardWord = "guard"

// ended is how a program has ended: its exit code, -1 for a signal, and in words.
type ended struct {
	code int
	how  string
}

// runInGroup runs a program in a group of processes. Whatever it left running there
// ends with it.
func runInGroup(cmd *exec.Cmd) (ended, error) {
	group := newGroup(cmd)
	cmd.Cancel = func() error { return group.end(cmd) }
	err := cmd.Start()
	if err == nil {
		group.joined(cmd)
		err = cmd.Wait()
	}
	group.kill(cmd)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return ended{exit.ExitCode(), exit.ProcessState.String()}, nil
	}
	return ended{}, err
}

// Program is a program that a plan names. It sees no more of the surroundings than the plan
// passes on, and what it writes goes to the log without its secrets.
type Program struct {
	Argv    []string
	Passed  []string          // names of variables that are passed on
	Secrets map[string]string // variables whose value is a reference
	// Resolve resolves a reference, env:NAME or file:PATH.
	Resolve func(ref string) (string, error)
	Environ []string // further variables, NAME=value
	// Mark is one more, which no other program has: what this one leaves running outside its
	// group is known by it. Without one that is left.
	Mark  string
	Dir   string    // where it starts
	Stdin io.Reader // of a few kilobytes; nil: there is nothing to read
	// Grace is the time between SIGTERM and SIGKILL, and that for children which hold its
	// output when it has ended.
	Grace time.Duration
	// Guard is the path of sprint, which guards it; empty if there is none.
	Guard string
	// Exited, if not nil, is called with the exit code of a program that ended.
	Exited func(code int)
	Log    *slog.Logger
}

// Run runs the program and waits for it and for all its children that hold its output.
// Nothing that it started is left. A cancelled ctx ends it. The error is a stages.Failure
// where it ends with another code than 0, cannot start, or lacks a secret.
func (p Program) Run(ctx context.Context) error {
	environ, hide, err := p.environ()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, p.Argv[0], p.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.WaitDelay = environ, p.Dir, p.Stdin, max(p.Grace, time.Millisecond)
	stdout, stdoutEnd := io.Pipe()
	stderr, stderrEnd := io.Pipe()
	cmd.Stdout, cmd.Stderr = stdoutEnd, stderrEnd
	var last string
	var lines sync.WaitGroup
	lines.Go(func() { p.lines(hide.Reader(stdout), "stdout", maxLog, nil) })
	lines.Go(func() { p.lines(hide.Reader(stderr), "stderr", maxLog, &last) })
	end, err := run(ctx, cmd, p.Guard)
	if p.Mark != "" {
		killOrphans(p.Mark)
	}
	_, _ = stdoutEnd.Close(), stderrEnd.Close()
	lines.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return p.ended(end, last)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		return stages.Fail(stages.CodeEnvironment, "install the program, or name it by its path", "cannot start %s: %w", p.Argv[0], err)
	}
	return fmt.Errorf("run %s: %w", p.Argv[0], err)
}

// ended judges how the program has ended; last is the last line of its standard error.
func (p Program) ended(end ended, last string) error {
	if p.Exited != nil {
		p.Exited(end.code)
	}
	if end.code == 0 {
		return nil
	}
	if last != "" {
		last = ": " + last
	}
	return stages.Fail(stages.CodeStage, "its output is in the stage's log", "%s ended with %s%s", filepath.Base(p.Argv[0]), end.how, last)
}

// environ is the program's environment, and what hides the secrets in it.
func (p Program) environ() (environ []string, hide *redact.Redactor, err error) {
	for _, n := range slices.Concat(baseVariables, p.Passed) {
		if v, ok := os.LookupEnv(n); ok {
			environ = append(environ, n+"="+v)
		}
	}
	var secrets []string
	for n, ref := range p.Secrets {
		v, err := p.Resolve(ref)
		if err == nil {
			_, err = redact.New(v)
		}
		if err != nil {
			return nil, nil, stages.Fail(stages.CodeEnvironment, "set what the reference names", "secret %s: %w", n, err)
		}
		if redact.TooShort(v) {
			p.Log.Warn("a secret is too short to be hidden in the log", slog.String("secret", n))
		}
		environ = append(environ, n+"="+v)
		secrets = append(secrets, v)
	}
	environ = append(environ, p.Environ...)
	if p.Mark != "" {
		environ = append(environ, p.Mark)
	}
	hide, err = redact.New(secrets...)
	return environ, hide, err
}

// lines logs a stream line by line, as far as there is room, and keeps the last one.
func (p Program) lines(r io.Reader, stream string, room int, last *string) {
	in := bufio.NewReaderSize(r, maxLine)
	held := "" // the begin of a character, at the end of a line that is longer than the buffer
	out := lineLog{log: p.Log, stream: stream, room: room}
	defer out.end()
	for {
		line, err := in.ReadSlice('\n')
		text := held + string(line)
		held = ""
		if errors.Is(err, bufio.ErrBufferFull) {
			n := wholeRunes(text)
			text, held = text[:n], text[n:]
		}
		if text = strings.TrimRight(text, "\r\n"); text != "" {
			text = strings.ToValidUTF8(text, "\uFFFD")
			out.line(text)
			if last != nil {
				*last = text
			}
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// wholeRunes is the length of a text without the begin of a character at its end.
func wholeRunes(text string) int {
	for n := range min(utf8.UTFMax, len(text)) {
		if at := len(text) - 1 - n; utf8.RuneStart(text[at]) {
			if !utf8.FullRuneInString(text[at:]) {
				return at
			}
			break
		}
	}
	return len(text)
}
