package start

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
)

func planCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	var exitCode bool
	cmd := &cobra.Command{
		Use: "plan [PLAN]", Short: "Say what run would do, and why", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			c, err := a.CompileToRead(ctx, cmd, app.PlanArg(args), &f)
			if err != nil {
				return err
			}
			defer c.Close(a.Log())
			if err := a.CheckFiles(ctx, c); err != nil {
				return err
			}
			e, err := evaluate.Evaluator{Store: c.Store}.Evaluate(ctx, c.Graph)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "STAGE\tWOULD\tWHY")
			for _, name := range c.Graph.Names() {
				v := e.Decisions[name]
				fmt.Fprintf(w, "%s\t%s\t%s\n", name, app.Would(v), v.Reason)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if exitCode && len(e.Work()) > 0 {
				return app.Exit(stages.CodePending)
			}
			return nil
		},
	}
	f.Add(cmd)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with 6 if there is work")
	return cmd
}
