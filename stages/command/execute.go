package command

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
	"runtime"
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

// execute runs the program in an empty folder and waits for it and for all its
// children that hold its output.
func (s *stage) execute(ctx context.Context) error {
	argv := s.argv()
	environ, hide, err := s.environ()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = environ, s.at(workDir), max(s.o.Grace, time.Millisecond)
	stdout, stdoutEnd := io.Pipe()
	stderr, stderrEnd := io.Pipe()
	cmd.Stdout, cmd.Stderr = stdoutEnd, stderrEnd
	var last string
	var lines sync.WaitGroup
	lines.Go(func() { s.lines(hide.Reader(stdout), "stdout", nil) })
	lines.Go(func() { s.lines(hide.Reader(stderr), "stderr", &last) })
	end, err := s.run(ctx, cmd)
	killOrphans("SPRINT_OUTPUTS=" + s.at(outputsDir))
	_, _ = stdoutEnd.Close(), stderrEnd.Close()
	lines.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && end.code == 0:
		s.env.Note("exit_code", 0)
		return nil
	case err == nil:
		s.env.Note("exit_code", end.code)
		tail := ""
		if last != "" {
			tail = ": " + last
		}
		return stages.Fail(stages.CodeStage, "its output is in the stage's log", "%s ended with %s%s", filepath.Base(argv[0]), end.how, tail)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		return stages.Fail(stages.CodeEnvironment, "install the program, or name it by its path", "cannot start %s: %w", argv[0], err)
	}
	return fmt.Errorf("run %s: %w", argv[0], err)
}

// argv puts paths in the place of placeholders.
func (s *stage) argv() []string {
	var argv []string
	for _, a := range s.o.Argv {
		argv = append(argv, placeholder.ReplaceAllStringFunc(a, func(p string) string {
			m := placeholder.FindStringSubmatch(p)
			return s.at(m[1], m[2])
		}))
	}
	switch {
	case !s.o.Shell:
		return argv
	case runtime.GOOS == "windows":
		return []string{"cmd", "/c", argv[0]}
	}
	return []string{"sh", "-c", argv[0]}
}

// environ is the program's environment, and what hides the secrets in it.
func (s *stage) environ() (environ []string, hide *redact.Redactor, err error) {
	for _, n := range slices.Concat(baseVariables, s.o.Env) {
		if v, ok := os.LookupEnv(n); ok {
			environ = append(environ, n+"="+v)
		}
	}
	var secrets []string
	for n, ref := range s.o.Secrets {
		v, err := s.env.Secret(ref)
		if err == nil {
			_, err = redact.New(v)
		}
		if err != nil {
			return nil, nil, stages.Fail(stages.CodeEnvironment, "set what the reference names", "secret %s: %w", n, err)
		}
		if redact.TooShort(v) {
			s.env.Log.Warn("a secret is too short to be hidden in the log", slog.String("secret", n))
		}
		environ = append(environ, n+"="+v)
		secrets = append(secrets, v)
	}
	environ = append(environ, "SPRINT_INPUTS="+s.at(inputsDir), "SPRINT_OUTPUTS="+s.at(outputsDir), "SPRINT_FILES="+s.at(filesDir))
	hide, err = redact.New(secrets...)
	return environ, hide, err
}

// lines logs a stream line by line and keeps the last one.
func (s *stage) lines(r io.Reader, stream string, last *string) {
	in := bufio.NewReaderSize(r, maxLine)
	held := "" // the begin of a character, at the end of a line that is longer than the buffer
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
			s.env.Log.Info("output", slog.String("stream", stream), slog.String("line", text))
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
