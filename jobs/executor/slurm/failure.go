package slurm

import (
	"context"
	"errors"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// complaint is something that Slurm or ssh says when a command fails, and what to do
// about it.
type complaint struct {
	text string // part of it, in lower case
	lost bool   // it may go away by itself
	hint string // NAME stands for the executor's name, ssh LOGIN for the way to its login node
}

// complaints are tried in this order.
var complaints = []complaint{
	{"host key verification failed", false, "`ssh LOGIN true` shows the key; accept it there if it is the right one"},
	{"permission denied (", false, "`ssh LOGIN true` must work without a password"},
	{"could not resolve hostname", false, "let executors.NAME.login be a host that ssh knows"},
	{"could not establish a configuration source", false, "let executors.NAME.login be a host of the cluster, or SLURM_CONF name its configuration"},
	{"invalid partition", false, "let executors.NAME.partition be one that `sinfo` lists and that allows the stage's timeout"},
	{"invalid qos", false, "let executors.NAME.qos be one of yours: `sacctmgr show assoc user=$USER format=qos`"},
	{"invalid account", false, "let executors.NAME.account be one of yours: `sacctmgr show assoc user=$USER format=account`"},
	{"invalid feature", false, "let executors.NAME.constraint name features that `sinfo -o %f` lists"},
	{"reservation", false, "let executors.NAME.reservation be one that `scontrol show reservation` lists"},
	{"generic resource", false, "ask in the stage's resources for GPUs that `sinfo -o %G` lists"},
	{"requested node configuration is not available", false, "ask for less in the stage's resources: `sinfo -o '%P %c %m %G %d'` lists what nodes have"},
	// The number of jobs is limited until some end; what one job may ask for, always.
	{"submitjob", true, "run fewer stages at once with -j, or ask for a higher limit"},
	{"perjob", false, "ask for less in the stage's resources: `sacctmgr show assoc user=$USER` and `sacctmgr show qos` list the limits"},
	{"maxwall", false, "lower the stage's timeout: `sacctmgr show qos` lists the limits"},
	{"job violates accounting/qos policy", true, "run fewer stages at once with -j, or ask for less: `sacctmgr show assoc user=$USER` lists the limits"},
	{"time limit", false, "lower the stage's timeout, or let executors.NAME.partition be one that allows it"},
	{"unable to contact slurm controller", true, ""},
	{"socket timed out", true, ""},
	{"zero bytes were transmitted", true, ""},
	{"temporarily", true, ""},
	{"standby mode", true, ""},
	{"too many", true, ""},
	{"protocol authentication error", true, "the cluster's munge does not answer; its administrators can help"},
	{"batch job submission failed", false, "`sinfo` and `sacctmgr show assoc user=$USER` show what you may ask for"},
	{"access/permission denied", false, "ask the cluster's administrators for the right to submit jobs"},
	{"invalid --", false, ""},
	{"unrecognized option", false, "this Slurm is older than any that is known to work"},
}

// failure sorts what a command complained about.
func (p *Provider) failure(what string, err error) error { return p.place.failure(what, err) }

func (p *place) failure(what string, err error) error {
	var failed *commandError
	if err == nil || !errors.As(err, &failed) {
		return err
	}
	if failed.code == 127 {
		return stages.Fail(stages.CodeEnvironment, p.words("let executors.NAME.login be a host that has Slurm's commands"), "%s: %w", what, err)
	}
	text := strings.ToLower(failed.Error())
	for _, c := range complaints {
		if strings.Contains(text, c.text) {
			if c.lost {
				return stages.Lose(stages.CodeEnvironment, p.words(c.hint), "%s: %w", what, err)
			}
			return stages.Fail(stages.CodeEnvironment, p.words(c.hint), "%s: %w", what, err)
		}
	}
	return stages.Lose(stages.CodeEnvironment, "", "%s: %w", what, err)
}

// words fills a hint in.
func (p *place) words(hint string) string {
	ssh := "ssh "
	if p.shell.config != "" {
		ssh += "-F " + executor.Quote(p.shell.config) + " "
	}
	return strings.NewReplacer("NAME", p.name, "ssh LOGIN", ssh+p.shell.login).Replace(hint)
}

// mayGoAway reports whether a failure may go away by itself.
func mayGoAway(err error) bool {
	return stages.IsLost(err) && !errors.Is(err, context.Canceled)
}
