package labels

import (
	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

func reviewCommand(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "review", Short: "Have people look at doubtful labels, and take their corrections in", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(reviewExportCommand(a), reviewImportCommand(a))
	return cmd
}

func reviewExportCommand(a *app.App) *cobra.Command {
	var f reviewFlags
	cmd := &cobra.Command{
		Use: "export [PLAN|RUN]", Short: "Write doubtful rows with their labels to a csv", Args: cobra.MaximumNArgs(1),
		Long: `Write rows that are worth a look to a csv, with the reasons and the labels as
they are: suspected ones, whose label a light classifier that has not seen the row
contradicts with more confidence than it usually has (confident learning, arXiv
1911.00068); conflicts, on which labellers disagreed; and uncertain ones, which
nobody decided and which the classifier finds hardest. Rows of a gold set are
never in it.

Change what is wrong (a score per category, 0 for absent, empty for undecided),
write your name into the column reviewer, also where all is right, and take the
file in with ` + "`sprint review import`" + `.`,
		Example: "  sprint review export plan.yaml --output review.csv --limit 100",
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.Interrupted(cmd.Context(), exportReview(a, cmd, args, &f))
		},
	}
	f.plan.Add(cmd)
	cmd.Flags().StringVar(&f.output, "output", "-", "file to write; - is standard output")
	cmd.Flags().IntVar(&f.limit, "limit", 200, "rows at most, a third of each sort")
	cmd.Flags().StringVar(&f.stage, "stage", "", "the label stage, if there are several")
	return cmd
}

func reviewImportCommand(a *app.App) *cobra.Command {
	var f reviewFlags
	cmd := &cobra.Command{
		Use: "import FILE [PLAN]", Short: "Add reviewed rows to the plan's overlay of corrections", Args: cobra.RangeArgs(1, 2),
		Long: `Add the rows of FILE that have a reviewer to the overlay that the plan's label
stage names; the next run labels by it. Nothing is overwritten: corrections are
added with reviewer and time, and the later one of a category of a row counts.
Those that change what another review said are printed.`,
		Example: "  sprint review import review.csv plan.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return importReview(a, cmd, args[0], app.PlanArg(args[1:]), &f)
		},
	}
	f.plan.Add(cmd)
	cmd.Flags().StringVar(&f.overlay, "overlay", "", "file of corrections to add to, if the plan names none")
	cmd.Flags().StringVar(&f.reviewer, "reviewer", "", "who reviewed all rows of the file that do not say so themselves")
	cmd.Flags().StringVar(&f.stage, "stage", "", "the label stage, if there are several")
	return cmd
}

// reviewFlags are the flags of both commands.
type reviewFlags struct {
	plan            app.PlanFlags
	output, overlay string
	reviewer, stage string
	limit           int
}
