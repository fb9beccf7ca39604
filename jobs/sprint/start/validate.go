package start

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/labels"
	"github.com/sprint-ml/sprint/jobs/progress"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

func validateCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	var strict bool
	var format *string
	cmd := &cobra.Command{
		Use: "validate [PLAN]", Short: "Check a plan, its taxonomy and the files that it names; all mistakes at once", Args: cobra.MaximumNArgs(1),
		Long: `Check a plan, its taxonomy and the files that it names, and tell all mistakes at
once. PLAN may be - for standard input. -o json names file, line, column, path, message and hint of each,
for editors; -o github puts them beside the lines of a pull request.`,
		Example: "  sprint validate plan.yaml\n  sprint validate plan.yaml --strict -o json\n  sprint validate - < plan.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			path := app.PlanArg(args)
			stages, warnings, err := checkPlan(cmd.Context(), a, cmd, path, &f)
			if err == nil && len(warnings) > 0 && strict {
				err, warnings = warnings, nil
			}
			switch *format {
			case "json":
				return answerValidation(a, path, stages, warnings, err)
			case "github":
				a.ForGitHub()
				workspace := a.Getenv("GITHUB_WORKSPACE")
				progress.AnnotateMistakes(a.Stdout.Out, "error", workspace, progress.Mistakes(err))
				progress.AnnotateMistakes(a.Stdout.Out, "warning", workspace, progress.Mistakes(warnings.OrNil()))
			}
			if err != nil {
				return err
			}
			a.Warn(warnings)
			fmt.Fprintf(a.Stdout, "%s is valid: %d stages\n", path, stages)
			return nil
		},
	}
	f.Add(cmd)
	format = a.FormatFlag(cmd, "json: the mistakes with their places; github: annotations of a change", "json", "github")
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings about the taxonomy and the files are mistakes")
	return cmd
}

// checkPlan compiles a plan and looks into what it names.
func checkPlan(ctx context.Context, a *app.App, cmd *cobra.Command, path string, f *app.PlanFlags) (stages int, warnings diagnostic.Errors, err error) {
	c, err := a.Compile(ctx, cmd, path, f, false)
	if err != nil {
		return 0, nil, err
	}
	if err := c.Graph.CheckPreemptible(nil); err != nil {
		return 0, nil, err
	}
	if warnings, err = labels.CheckTaxonomy(c.Graph); err != nil {
		return 0, nil, err
	}
	odd, err := c.Graph.CheckFiles(ctx)
	return len(c.Graph.Nodes), append(warnings, odd...), err
}

// validation is the answer of validate -o json.
type validation struct {
	Plan     string             `json:"plan"`
	Valid    bool               `json:"valid"`
	Stages   int                `json:"stages"` // 0 if they could not be told
	Errors   []progress.Mistake `json:"errors"`
	Warnings []progress.Mistake `json:"warnings"`
}

func answerValidation(a *app.App, path string, stages int, warnings diagnostic.Errors, err error) error {
	v := validation{Plan: path, Valid: err == nil, Stages: stages, Errors: progress.Mistakes(err), Warnings: progress.Mistakes(warnings.OrNil())}
	if out := json.NewEncoder(a.Stdout).Encode(v); out != nil {
		return out
	}
	if err != nil {
		return app.Exit(executor.Code(err))
	}
	return nil
}
