// Package look holds the commands that say what happened in a run, and why:
// status, runs, logs, explain, graph, report, diff, trace and artifacts. Each file
// is a command, or what one prints.
package look

import (
	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// Commands are the commands that say what happened in a run, and why.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{
		statusCommand(a),
		runsCommand(a),
		logsCommand(a),
		explainCommand(a),
		graphCommand(a),
		reportCommand(a),
		diffCommand(a),
		traceCommand(a),
		artifactsCommand(a),
	}
}
