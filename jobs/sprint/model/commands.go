// Package model holds the commands that use a model: classify, serve and promote.
// Each file is a command. What answers is in jobs/answers and jobs/serve.
package model

import (
	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// Commands are the commands that use a model.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{
		classifyCommand(a),
		serveCommand(a),
		promoteCommand(a),
	}
}
