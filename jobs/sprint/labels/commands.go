package labels

import (
	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// Commands are the commands that look at what the rules and the labellers say, and correct it.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{
		previewCommand(a),
		reviewCommand(a),
	}
}
