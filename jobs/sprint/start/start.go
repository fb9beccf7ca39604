// Package start holds the commands that write, check, foresee and run a plan:
// init, validate, plan, run, retry, refresh, render and schedule, and the worker that a run starts for each
// attempt. Each file is a command, or what one prints.
package start

import (
	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// Commands are the commands that write, check, foresee and run a plan.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{
		initCommand(a), validateCommand(a), planCommand(a), runCommand(a), retryCommand(a), refreshCommand(a), renderCommand(a), scheduleCommand(a), workerCommand(a),
	}
}
