package look

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

func graphCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	var dot bool
	cmd := &cobra.Command{
		Use: "graph [PLAN]", Short: "Show the compiled graph of a plan", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.Compile(cmd.Context(), cmd, app.PlanArg(args), &f, false)
			if err != nil {
				return err
			}
			if dot {
				fmt.Fprint(a.Stdout, c.Graph.DOT())
			} else {
				fmt.Fprint(a.Stdout, c.Graph)
			}
			return nil
		},
	}
	f.Add(cmd)
	cmd.Flags().BoolVar(&dot, "dot", false, "as Graphviz DOT")
	return cmd
}
