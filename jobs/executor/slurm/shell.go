package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/openssh"
)

// shell runs lines of a POSIX shell where Slurm's commands are.
type shell struct {
	login   string // for ssh; empty is here
	config  string // ssh's configuration file
	control string // folder of the socket of the connection that commands share
	environ []string
}

// The first and the last line of what a line says that ended well. What is outside them
// or lacks them is from something else, or was cut short: a message of the day, a proxy's
// excuse.
const (
	asked    = "sprint:asked"
	answered = "sprint:answered"
)

// commandLimit is how long a question to the cluster may take: a controller that is
// busy lets its clients wait, and they give up by themselves sooner.
const commandLimit = 2 * time.Minute

// neutral unsets what a user's environment tells Slurm's commands that would hide jobs,
// or make submitting wait.
const neutral = "LC_ALL=C; export LC_ALL; unset SQUEUE_ACCOUNT SQUEUE_FEDERATION SQUEUE_LICENSES SQUEUE_NAMES SQUEUE_PARTITION SQUEUE_QOS SQUEUE_SIBLING SQUEUE_SORT SQUEUE_STATES SQUEUE_USERS SBATCH_ARRAY_INX SBATCH_WAIT; "

// commandError is a command that did not end well.
type commandError struct {
	code   int // -1 if it did not begin, or was ended
	stderr string
	err    error
}

func (e *commandError) Error() string {
	if e.stderr == "" {
		return e.err.Error()
	}
	return e.stderr
}

func (e *commandError) Unwrap() error { return e.err }

// argv is the command that runs a line there. PATH is that of environ, which a shell
// goes by.
func (s shell) argv(line string) []string {
	if s.login == "" {
		return []string{"/bin/sh", "-c", line}
	}
	ssh := append([]string{"ssh"}, openssh.Arguments(s.config, s.control)...)
	ssh = append(ssh, "--", s.login, "exec /bin/sh -c "+executor.Quote(line))
	return append([]string{"/bin/sh", "-c", `exec "$0" "$@"`}, ssh...)
}

// run runs a line; its standard output goes to out.
func (s shell) run(ctx context.Context, in io.Reader, out io.Writer, line string) error {
	argv := s.argv(neutral + line)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout = s.environ, in, out
	cmd.WaitDelay = time.Second // what it started may hold its output open
	openssh.Apart(cmd)
	stderr := executor.Head{Most: 8 << 10}
	cmd.Stderr = &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	failed := &commandError{code: -1, stderr: strings.TrimSpace(string(stderr.Bytes())), err: err}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		failed.code = exit.ExitCode()
	}
	return failed
}

// ask runs a line and returns the lines of its answer, of which it is sure that they are
// all.
func (s shell) ask(ctx context.Context, in io.Reader, line string) ([]string, error) {
	limited, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	var out bytes.Buffer
	err := s.run(limited, in, &out, "set -e; echo "+asked+"; "+line+"\necho "+answered)
	if ctx.Err() == nil && limited.Err() != nil {
		err = &commandError{code: -1, err: fmt.Errorf("no answer in %s", commandLimit)}
	}
	if err != nil {
		return nil, err
	}
	return between(out.String())
}

// between are the lines of an answer that is whole.
func between(out string) ([]string, error) {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(out, "\r\n", "\n"), "\n"), "\n")
	first, last := slices.Index(lines, asked), len(lines)-1
	if first < 0 || lines[last] != answered {
		return nil, &commandError{code: -1, err: fmt.Errorf("the answer is none of Slurm's: %.200q", strings.TrimSpace(out))}
	}
	return lines[first+1 : last], nil
}

// close ends the connection that commands share.
func (s shell) close() error {
	if s.control == "" {
		return nil
	}
	return openssh.EndConnections(s.control, s.environ)
}
