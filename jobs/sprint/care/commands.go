// Package care holds the commands that look after runs, stores, the machine and
// the settings: cancel, unlock, gc, doctor, config, schema and version. Each file
// is a command, or what one asks of the system.
package care

import (
	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// Commands are the commands that look after runs, stores, the machine and the settings.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{
		cancelCommand(a),
		unlockCommand(a),
		gcCommand(a),
		doctorCommand(a),
		configCommand(a),
		schemaCommand(a),
		versionCommand(a),
	}
}
