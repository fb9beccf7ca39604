package sky

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
)

// command runs SkyPilot's command. Its first call on a machine starts a server of its own,
// which takes a minute or more.
type command struct {
	name    string // of the executor
	path    string
	environ []string
}

// How long the command may take. The first launch of all makes a controller's machine.
const (
	commandLimit = 5 * time.Minute
	launchLimit  = 30 * time.Minute
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 32 << 20

// run runs the command and returns its standard output, also with an error. Secrets are
// variables that this call has beside the others: an error does not repeat their values.
func (c *command) run(ctx context.Context, limit time.Duration, secrets map[string]string, args ...string) ([]byte, error) {
	hide, err := redact.New(slices.Collect(maps.Values(secrets))...)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// The shell looks for it in the PATH of environ.
	cmd := exec.CommandContext(limited, "/bin/sh", append([]string{"-c", `exec "$0" "$@"`, c.path}, args...)...)
	cmd.Env = slices.Clone(c.environ)
	for name, value := range secrets {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.WaitDelay = time.Second // the server that it starts may hold its output open
	out, stderr := executor.Head{Most: maxAnswer}, executor.Head{Most: 64 << 10}
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	what := strings.Join(args[:min(len(args), 2)], " ")
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && limited.Err() != nil:
		return nil, stages.Lose(stages.CodeEnvironment, "`sky api status` says what its server does", "executor %s: `sky %s` does not answer within %s", c.name, what, limit)
	case err != nil:
		return out.Bytes(), c.failure(what, err, hide.String(said(string(stderr.Bytes()), string(out.Bytes()))))
	case len(out.Bytes()) == maxAnswer:
		return nil, stages.Fail(stages.CodeEnvironment, "", "executor %s: `sky %s` says over %d bytes", c.name, what, maxAnswer)
	}
	return out.Bytes(), nil
}

// said is the line that tells what went wrong: that of an exception, else the last.
func said(stderr, stdout string) string {
	for _, text := range []string{stderr, stdout} {
		last := ""
		for line := range strings.SplitSeq(color.ReplaceAllString(text, ""), "\n") {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "sky.exceptions.") {
				last = line
				break
			}
			if line != "" {
				last = line
			}
		}
		if last != "" {
			return strings.ToValidUTF8(last[:min(len(last), 500)], "?")
		}
	}
	return ""
}

// complaint is something that SkyPilot says when a command fails, and what to do about it.
type complaint struct {
	text string // part of it, in lower case
	lost bool   // it may go away by itself
	hint string // NAME stands for the executor's name
}

// complaints are tried in this order.
var complaints = []complaint{
	{"apiserverconnectionerror", true, "`sky api status` says whether its server runs; `sky api login` names another one"},
	{"could not connect to skypilot api server", true, "`sky api status` says whether its server runs; `sky api login` names another one"},
	{"too many requests", true, ""},
	{"429", true, ""},
	{"versionmismatch", false, "give both the same version: `sky api info` names them"},
	{"authentication", false, "`sky api login` renews the right to use its server"},
	{"permissiondenied", false, "ask the administrators of the server for the right to launch jobs in this workspace"},
	{"unauthorized", false, "`sky api login` renews the right to use its server"},
	{"forbidden", false, "ask the administrators of the server for the right to launch jobs in this workspace"},
	{"nocloudaccesserror", false, "`sky check` says what each cloud needs"},
	{"no cloud access", false, "`sky check` says what each cloud needs"},
	{"is not enabled", false, "`sky check` says what each cloud needs; executors.NAME.infra names where machines are rented"},
	{"resourcesmismatch", false, "ask for less in the stage's resources, or change infra and max_hourly_cost of executors.NAME"},
	{"resourcesunavailable", false, "ask for less in the stage's resources, or change infra and max_hourly_cost of executors.NAME; `sky gpus list` shows what there is"},
	{"invalid task yaml", false, "use SkyPilot 0.14 or later, and check infra, gpu and image of executors.NAME"},
	{"no such option", false, "use SkyPilot 0.14 or later"},
	{"no such command", false, "use SkyPilot 0.14 or later"},
	{"invalid infra", false, "let executors.NAME.infra be one that SkyPilot knows: aws/us-east-1, gcp, k8s/CONTEXT"},
	{"not found in the catalog", false, "let gpu and gpu_types of executors.NAME be names that `sky gpus list` shows"},
	{"no space left", false, "free space on this machine's disk: SkyPilot keeps its state in ~/.sky"},
}

// failure sorts what the command complained about.
func (c *command) failure(what string, err error, text string) error {
	var exit *exec.ExitError
	code := -1
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	if text == "" {
		text = err.Error()
	}
	where := fmt.Sprintf("executor %s: `sky %s`", c.name, what)
	if code == 126 || code == 127 {
		return stages.Fail(stages.CodeEnvironment, "install it: `pip install 'skypilot[aws]'` or of another cloud; or let executors."+c.name+".command be its path", "%s: there is no SkyPilot here: %s", where, text)
	}
	lower := strings.ToLower(text)
	for _, known := range complaints {
		if !strings.Contains(lower, known.text) {
			continue
		}
		hint := strings.ReplaceAll(known.hint, "NAME", c.name)
		if known.lost {
			return stages.Lose(stages.CodeEnvironment, hint, "%s: %s", where, text)
		}
		return stages.Fail(stages.CodeEnvironment, hint, "%s: %s", where, text)
	}
	if code == 2 { // its words were not understood
		return stages.Fail(stages.CodeEnvironment, "use SkyPilot 0.14 or later", "%s: %s", where, text)
	}
	return stages.Lose(stages.CodeEnvironment, "", "%s: %s", where, text)
}
