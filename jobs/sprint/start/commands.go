package start

import (
	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// Commands are the commands that write, check, foresee and run a plan.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{
		initCommand(a),
		validateCommand(a),
		planCommand(a),
		runCommand(a),
		retryCommand(a),
		workerCommand(a),
	}
}
