package start

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/money"
	"github.com/sprint-ml/sprint/jobs/estimate"
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
			took := estimate.Of(ctx, e, c.Store, e.Work())
			seconds := estimate.Seconds(ctx, e, took)
			at, err := foreseePlaces(c, e)
			if err != nil {
				return err
			}
			costs := foreseeCosts(ctx, a, c, e, took, seconds)
			if a.AsJSON {
				err = json.NewEncoder(a.Stdout).Encode(foreseen(c, e, seconds, costs, at))
			} else if err = showForeseen(a, c, e, seconds); err == nil {
				showCosts(a, c, costs)
				err = showPlaces(a, c, at)
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
	cmd.Flags().StringVar(&a.Flags.Executor, "executor", "", executorUsage)
	app.Overrides(cmd.Flags(), "executor")
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
	// Seconds that it would take, by what earlier work in the store took; absent if it
	// would not run, or nothing is known.
	Seconds float64 `json:"seconds,omitempty"`
	// Cost is absent where no price is known.
	Cost *foreseenCost `json:"cost,omitempty"`
	// Place is absent where the stage would not run.
	Place *foreseenPlace `json:"place,omitempty"`
}

// foreseenPlan is the answer of plan -o json.
type foreseenPlan struct {
	Plan string `json:"plan"`
	Work int    `json:"work"` // stages that would run
	// Seconds that all would take; absent if that of a stage is unknown.
	Seconds float64 `json:"seconds,omitempty"`
	// Cost of all, in that currency; absent if that of a stage with a price is unknown.
	Cost     money.Amount    `json:"cost,omitempty"`
	Currency string          `json:"currency,omitempty"`
	Stages   []foreseenStage `json:"stages"`
}

func foreseen(c *app.Compiled, e *evaluate.Evaluation, seconds map[string]float64, costs map[string]*foreseenCost, at map[string]*foreseenPlace) foreseenPlan {
	out := foreseenPlan{Plan: c.Plan.Name, Work: len(e.Work()), Seconds: inAll(c, e, seconds), Stages: []foreseenStage{}}
	if sum, ok := costInAll(costs); ok {
		out.Cost, out.Currency = sum.Amount, sum.Currency
	}
	for _, name := range c.Graph.Names() {
		node, _ := c.Graph.Node(name)
		d := e.Decisions[name]
		out.Stages = append(out.Stages, foreseenStage{name, node.Kind.Name, app.Would(d), d.Reason, d.Key, seconds[name], costs[name], at[name]})
	}
	return out
}

// inAll is how many seconds the work takes, 0 if that is unknown.
func inAll(c *app.Compiled, e *evaluate.Evaluation, seconds map[string]float64) float64 {
	all, ok := estimate.Total(c.Graph, c.Config.Parallel, func(stage string) (float64, bool) {
		s, known := seconds[stage]
		return s, known || e.Decisions[stage].State.Final()
	})
	if !ok {
		return 0
	}
	return all
}

// roughly says a number of seconds; nothing if it is unknown.
func roughly(seconds float64) string {
	if seconds <= 0 {
		return ""
	}
	return estimate.About(time.Duration(seconds * float64(time.Second)))
}

func showForeseen(a *app.App, c *app.Compiled, e *evaluate.Evaluation, seconds map[string]float64) error {
	names := c.Graph.Names()
	columns := []table.Column{{Name: "STAGE"}, {Name: "WOULD"}}
	if len(seconds) > 0 {
		columns = append(columns, table.Column{Name: "TAKES"})
	}
	t := a.Screen().Table(func(row int) string {
		if e.Decisions[names[row]].State == runs.Cached {
			return table.Faint
		}
		return ""
	}, append(columns, table.Column{Name: "WHY", Cut: true})...)
	for _, name := range names {
		d := e.Decisions[name]
		cells := []any{name, app.Would(d)}
		if len(seconds) > 0 {
			cells = append(cells, roughly(seconds[name]))
		}
		t.Row(append(cells, d.Reason)...)
	}
	if err := t.Write(a.Stdout); err != nil {
		return err
	}
	if text := roughly(inAll(c, e, seconds)); text != "" {
		_, err := fmt.Fprintf(a.Stdout, "\n%s in all, by what earlier work in this store took\n", text)
		return err
	}
	return nil
}
