package care

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages/all"
)

func versionCommand(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.Stdout, "sprint %s\n", app.Version())
			for _, k := range all.All() {
				fmt.Fprintf(a.Stdout, "  %-8s v%d\n", k.Name, k.Version)
			}
			return nil
		},
	}
}
