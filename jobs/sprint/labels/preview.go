// Package labels holds the commands that look at what rules and labellers say,
// and correct it: label-preview and review. Each file is a command, or what one
// prints. What they show and take in is made in jobs/labels.
package labels

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/labels/preview"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
)

// Commands are the commands that look at what the rules and the labellers say, and correct it.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{previewCommand(a), reviewCommand(a)}
}

// previewFlags are the flags of label-preview.
type previewFlags struct {
	plan       app.PlanFlags
	texts      []string
	sample     int
	show       int
	of         string
	gold, test string
}

func previewCommand(a *app.App) *cobra.Command {
	var f previewFlags
	cmd := &cobra.Command{
		Use: "label-preview [PLAN]", Short: "Show what the taxonomy's rules say: on texts, on a sample, against gold, or by their tests", Args: cobra.MaximumNArgs(1),
		Long: `Apply the rules of a plan's taxonomy and show what they do, without a run.

On a sample of the rows that fetch committed (else of the plan's files) it counts
coverage, overlap of categories, conflicts of tags, and per rule how many rows it
fired on, how many of them it decided alone, on which words, and whether it is
dead or dominates its category. With --gold, rows of the gold set are left out of
the sample, and each rule shows how often it was right on them.`,
		Example: "  sprint label-preview plan.yaml --text \"No fire in the harbour\"\n" +
			"  sprint label-preview plan.yaml --gold gold.csv\n" +
			"  sprint label-preview plan.yaml --show 20 --of emergencies:fire\n" +
			"  sprint label-preview plan.yaml --test rules_test.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.Interrupted(cmd.Context(), runPreview(cmd.Context(), a, cmd, app.PlanArg(args), &f))
		},
	}
	f.plan.Add(cmd)
	a.JSONFlag(cmd, "everything as one JSON object")
	cmd.Flags().StringArrayVar(&f.texts, "text", nil, "show what fires on this text (repeatable)")
	cmd.Flags().IntVar(&f.sample, "sample", 20_000, "look at this many rows, drawn at random; 0 is all")
	cmd.Flags().IntVar(&f.show, "show", 8, "rows of the sample to print")
	cmd.Flags().StringVar(&f.of, "of", "", "print rows of a category, of category:rule, or none: rows without a category, and the words that tell them from the others")
	cmd.Flags().StringVar(&f.gold, "gold", "", "measure the rules on this gold set")
	cmd.Flags().StringVar(&f.test, "test", "", "run the rule tests of this file; end with code 1 if one fails")
	return cmd
}

func runPreview(ctx context.Context, a *app.App, cmd *cobra.Command, path string, f *previewFlags) error {
	c, err := a.Compile(ctx, cmd, path, &f.plan, false)
	if err != nil {
		return err
	}
	o := preview.Options{
		Plan: c.Plan, Graph: c.Graph, Cache: c.Config.Cache, Log: a.Log(),
		Texts: f.texts, Sample: f.sample, Show: f.show, Of: f.of, Gold: f.gold, Tests: f.test,
	}
	if len(f.texts) == 0 && f.test == "" {
		// Without a store the rows come from the plan's files.
		if store, err := a.ReadStore(ctx, c.Config); err == nil {
			defer store.Close()
			o.Store = store
		}
	}
	out, err := preview.Run(ctx, o)
	if err != nil {
		return err
	}
	if a.AsJSON {
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		err = e.Encode(out)
	} else {
		err = showPreview(a, out)
	}
	if err == nil && out.Tests != nil && len(out.Tests.Failed) > 0 {
		return app.Exit(stages.CodeStage)
	}
	return err
}
