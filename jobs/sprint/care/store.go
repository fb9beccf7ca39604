package care

import (
	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

// storeCommand is the group of commands that look after a store; each has a file.
func storeCommand(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "store", Short: "Check a store for what is missing or damaged, copy it, or sign its records", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(storeCheckCommand(a), storeCopyCommand(a), storeRekeyCommand(a))
	return cmd
}
