package ssh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/openssh"
	"github.com/sprint-ml/sprint/stages"
)

// command is ssh with a line for the host's shell.
func (p *Provider) command(ctx context.Context, host, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ssh", append(openssh.Arguments(p.Config, p.control), "--", host, line)...)
	cmd.WaitDelay = time.Second
	openssh.Apart(cmd)
	return cmd
}

// answerTime is how long a host may take for a line that waits for nothing there.
const answerTime = 45 * time.Second

// output runs a line on a host and returns what it printed. A host that takes longer than
// within has not answered; 0 is no limit. What is read from stdin is read once: the caller
// tries again with a new reader.
func (p *Provider) output(ctx context.Context, host, line string, stdin io.Reader, within time.Duration) (string, error) {
	limited := ctx
	if within > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	cmd := p.command(limited, host, line)
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &stderr
	err := cmd.Run()
	switch {
	case err != nil && ctx.Err() == nil && limited.Err() != nil:
		return "", stages.Lose(stages.CodeEnvironment, p.byHand(host)+" tries it", "%s does not answer within %s", host, within)
	case err != nil:
		return "", p.classify(ctx, host, err, stderr.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// lines runs a line on a host and hands over each line that it prints.
func (p *Provider) lines(ctx context.Context, host, line string, each func(string)) error {
	cmd := p.command(ctx, host, line)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return p.classify(ctx, host, err, "")
	}
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		each(scanner.Text())
	}
	if err := cmd.Wait(); err != nil {
		return p.classify(ctx, host, err, stderr.String())
	}
	return nil
}

// classify says what a failure of ssh means. ssh itself ends with 255, and what ran
// there with its own code.
func (p *Provider) classify(ctx context.Context, host string, err error, stderr string) error {
	stderr = strings.TrimSpace(stderr)
	said := shorten(stderr)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return stages.Fail(stages.CodeEnvironment, "install OpenSSH's client (package openssh-client)", "there is no ssh here to reach %s with", host)
	case !errors.As(err, &exit):
		return stages.Lose(stages.CodeEnvironment, "", "ssh to %s: %w", host, err)
	case strings.Contains(stderr, "REMOTE HOST IDENTIFICATION HAS CHANGED"):
		return stages.Fail(stages.CodeEnvironment, "find out why; only if the machine was made anew: ssh-keygen -R HOST, then connect once", "the key of %s is not the one that is known: it may be another machine", host)
	case strings.Contains(stderr, "Host key verification failed"), strings.Contains(stderr, "host key is known for"):
		return stages.Fail(stages.CodeEnvironment, "compare its fingerprint once: "+p.byHand(host), "the key of %s is not known", host)
	case strings.Contains(stderr, "Permission denied ("):
		return stages.Fail(stages.CodeEnvironment, "let your key in there, or start your agent; "+p.byHand(host)+" must work without a question", "%s refuses this user: %s", host, said)
	case strings.Contains(stderr, "Could not resolve hostname") && !strings.Contains(stderr, "Temporary failure"):
		return stages.Fail(stages.CodeEnvironment, fmt.Sprintf("check executors.%s.hosts and your ssh config", p.Name), "%s is not known: %s", host, said)
	case strings.Contains(stderr, "No space left on device"), strings.Contains(stderr, "Disk quota exceeded"):
		return stages.Fail(stages.CodeEnvironment, fmt.Sprintf("free space on %s, or let executors.%s.folder name a folder on another disk", host, p.Name), "the disk of %s is full: %s", host, said)
	case exit.ExitCode() == 255:
		return stages.Lose(stages.CodeEnvironment, p.byHand(host)+" tries it", "%s is not reached: %s", host, said)
	case exit.ExitCode() == int(stages.CodeEnvironment):
		return stages.Fail(stages.CodeEnvironment, "`sprint doctor --executor "+p.Name+"` tells what it lacks", "%s: %s", host, said)
	}
	return stages.Lose(stages.CodeEnvironment, p.byHand(host)+" tries it", "%s: code %d: %s", host, exit.ExitCode(), said)
}

// byHand is the line with which a user tries a host.
func (p *Provider) byHand(host string) string {
	config := ""
	if p.Config != "" {
		config = "-F " + executor.Quote(p.Config) + " "
	}
	return "`ssh " + config + host + " true`"
}

// Close ends the connections that are shared. Jobs go on.
func (p *Provider) Close() error { return openssh.EndConnections(p.control, nil) }
