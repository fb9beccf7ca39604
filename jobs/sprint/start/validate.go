package start

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/labels"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

func validateCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	var strict bool
	cmd := &cobra.Command{
		Use: "validate [PLAN]", Short: "Check a plan, its taxonomy and the files that it names; all mistakes at once", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.Compile(cmd.Context(), cmd, app.PlanArg(args), &f, false)
			if err != nil {
				return err
			}
			warnings, err := labels.CheckTaxonomy(c.Graph)
			if err != nil {
				return err
			}
			doubtful, err := labels.CheckOverlays(c.Graph, app.Now())
			if err != nil {
				return err
			}
			warnings = append(warnings, doubtful...)
			odd, err := c.Graph.CheckFiles(cmd.Context())
			if err != nil {
				return err
			}
			if warnings = append(warnings, odd...); len(warnings) > 0 && strict {
				return warnings
			}
			a.Warn(warnings)
			fmt.Fprintf(a.Stdout, "%s is valid: %d stages\n", c.Plan.File, len(c.Graph.Nodes))
			return nil
		},
	}
	f.Add(cmd)
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings about the taxonomy and the files are mistakes")
	return cmd
}
