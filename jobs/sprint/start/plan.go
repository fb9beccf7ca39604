package start

import (
	"encoding/json"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/runs"
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
			if a.AsJSON {
				err = json.NewEncoder(a.Stdout).Encode(foreseen(c, e))
			} else {
				err = showForeseen(a, c, e)
			}
			if err != nil {
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
	a.JSONFlag(cmd, "what would happen to each stage, with its key")
	return cmd
}

// foreseenStage is what plan -o json says of a stage.
type foreseenStage struct {
	Stage  string `json:"stage"`
	Kind   string `json:"kind"`
	Would  string `json:"would"` // run, continue, be cached, fail as before
	Reason string `json:"reason"`
	Key    string `json:"key,omitempty"` // absent while inputs are not there yet
}

// foreseenPlan is the answer of plan -o json.
type foreseenPlan struct {
	Plan   string          `json:"plan"`
	Work   int             `json:"work"` // stages that would run
	Stages []foreseenStage `json:"stages"`
}

func foreseen(c *app.Compiled, e *evaluate.Evaluation) foreseenPlan {
	out := foreseenPlan{Plan: c.Plan.Name, Work: len(e.Work()), Stages: []foreseenStage{}}
	for _, name := range c.Graph.Names() {
		node, _ := c.Graph.Node(name)
		d := e.Decisions[name]
		out.Stages = append(out.Stages, foreseenStage{name, node.Kind.Name, app.Would(d), d.Reason, d.Key})
	}
	return out
}

func showForeseen(a *app.App, c *app.Compiled, e *evaluate.Evaluation) error {
	names := c.Graph.Names()
	t := a.Screen().Table(func(row int) string {
		if e.Decisions[names[row]].State == runs.Cached {
			return table.Faint
		}
		return ""
	}, table.Column{Name: "STAGE"}, table.Column{Name: "WOULD"}, table.Column{Name: "WHY", Cut: true})
	for _, name := range names {
		d := e.Decisions[name]
		t.Row(name, app.Would(d), d.Reason)
	}
	return t.Write(a.Stdout)
}
