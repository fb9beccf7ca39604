// Package labels holds the commands that look at what rules and labellers say,
// and correct it: label-preview and review. Each file is a command, or what one
// prints. What they show and take in is made in jobs/labels.
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
