package look

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
)

func graphCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	var dot, mermaid bool
	cmd := &cobra.Command{
		Use: "graph [PLAN]", Short: "Draw the stages of a plan, with what run would do", Args: cobra.MaximumNArgs(1),
		Long: `Draw the stages of a plan and what needs what. Each box says what a run would do
with its stage. -v lists the inputs, outputs and options of each stage instead.`,
		Example: "  sprint graph plan.yaml\n  sprint graph plan.yaml --mermaid\n  sprint graph plan.yaml -v",
		RunE: func(cmd *cobra.Command, args []string) error {
			if dot && mermaid {
				return &diagnostic.UsageError{Message: "--dot and --mermaid are two languages: choose one"}
			}
			path := app.PlanArg(args)
			if dot || mermaid || a.Verbose {
				c, err := a.Compile(cmd.Context(), cmd, path, &f, false)
				if err != nil {
					return err
				}
				switch {
				case dot:
					fmt.Fprint(a.Stdout, c.Graph.DOT())
				case mermaid:
					fmt.Fprint(a.Stdout, c.Graph.Mermaid())
				default:
					fmt.Fprint(a.Stdout, c.Graph)
				}
				return nil
			}
			g, e, err := foreseen(cmd.Context(), a, cmd, path, &f)
			if err != nil {
				return err
			}
			return drawGraph(a, g, e)
		},
	}
	f.Add(cmd)
	cmd.Flags().BoolVar(&dot, "dot", false, "as Graphviz DOT")
	cmd.Flags().BoolVar(&mermaid, "mermaid", false, "as Mermaid, for Markdown")
	a.JSONFlag(cmd, "the stages with needs, inputs, outputs, options and what run would do")
	return cmd
}

// foreseen compiles a plan and evaluates it. Where store, network or encoder cannot be
// reached the evaluation is nil: the graph is known all the same.
func foreseen(ctx context.Context, a *app.App, cmd *cobra.Command, path string, f *app.PlanFlags) (*graph.Graph, *evaluate.Evaluation, error) {
	c, err := a.CompileToRead(ctx, cmd, path, f)
	var e *evaluate.Evaluation
	if err == nil {
		defer c.Close(a.Log())
		if e, err = (evaluate.Evaluator{Store: c.Store}).Evaluate(ctx, c.Graph); err == nil {
			return c.Graph, e, nil
		}
	}
	if executor.Code(err) != stages.CodeEnvironment {
		return nil, nil, app.Interrupted(ctx, err)
	}
	a.Log().Warn("what run would do is not known", "error", err)
	if c, err = a.Compile(ctx, cmd, path, f, false); err != nil {
		return nil, nil, err
	}
	return c.Graph, nil, nil
}

// drawnStage is what graph -o json says of a stage.
type drawnStage struct {
	Stage   string            `json:"stage"`
	Kind    string            `json:"kind"`
	Version int               `json:"version"`
	Needs   []string          `json:"needs"`
	Inputs  map[string]string `json:"inputs"` // the stage that makes each
	Outputs []string          `json:"outputs"`
	Options map[string]any    `json:"options"`
	Would   string            `json:"would,omitempty"` // absent if it is not known
	Reason  string            `json:"reason,omitempty"`
}

func drawGraph(a *app.App, g *graph.Graph, e *evaluate.Evaluation) error {
	if a.AsJSON {
		out := struct {
			Plan   string       `json:"plan"`
			Stages []drawnStage `json:"stages"`
		}{g.Plan.Name, []drawnStage{}}
		for _, node := range g.Nodes {
			s := drawnStage{Stage: node.Name, Kind: node.Kind.Name, Version: node.Kind.Version, Needs: append([]string{}, node.Needs...), Inputs: map[string]string{}, Outputs: []string{}, Options: node.Decoded.All}
			for _, r := range node.Inputs {
				s.Inputs[r.Name] = r.From
			}
			for _, o := range node.Outputs {
				s.Outputs = append(s.Outputs, o.Name)
			}
			if e != nil {
				s.Would, s.Reason = app.Would(e.Decisions[node.Name]), e.Decisions[node.Name].Reason
			}
			out.Stages = append(out.Stages, s)
		}
		return json.NewEncoder(a.Stdout).Encode(out)
	}
	note := func(node *graph.Node) string {
		if e == nil {
			return ""
		}
		switch would := app.Would(e.Decisions[node.Name]); would {
		case "be cached":
			return "cached"
		default:
			return "would " + would
		}
	}
	text, ok := g.Draw(a.Width(), note)
	if !ok {
		text = g.List(note)
	}
	fmt.Fprint(a.Stdout, text)
	return nil
}
