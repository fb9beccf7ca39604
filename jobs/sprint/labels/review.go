package labels

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/labels/review"
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
Those that change what another review said are printed. A date more than a day
ahead is refused: nothing later could correct it. Texts that a spreadsheet would run
as formulas stand behind a ' in the overlay, and are read without it. If the overlay
is a link, the file that it leads to is changed.`,
		Example: "  sprint review import review.csv plan.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 && isPlan(args[0]) && !isPlan(args[1]) {
				slices.Reverse(args) // other commands have the plan first
			}
			return importReview(a, cmd, args[0], app.PlanArg(args[1:]), &f)
		},
	}
	f.plan.Add(cmd)
	cmd.Flags().StringVar(&f.overlay, "overlay", "", "file of corrections to add to, if the plan names none")
	cmd.Flags().StringVar(&f.reviewer, "reviewer", "", "who reviewed all rows of the file that do not say so themselves")
	cmd.Flags().StringVar(&f.stage, "stage", "", "the label stage, if there are several")
	return cmd
}

// isPlan reports whether a file has the name of a plan, which no table has.
func isPlan(file string) bool {
	return slices.Contains([]string{".yaml", ".yml"}, strings.ToLower(filepath.Ext(file)))
}

// reviewFlags are the flags of both commands.
type reviewFlags struct {
	plan            app.PlanFlags
	output, overlay string
	reviewer, stage string
	limit           int
}

func exportReview(a *app.App, cmd *cobra.Command, args []string, f *reviewFlags) error {
	ctx := cmd.Context()
	if f.limit < 1 {
		return &diagnostic.UsageError{Message: fmt.Sprintf("--limit %d: at least one row is needed", f.limit)}
	}
	set, err := reviewedRows(ctx, a, cmd, args, f)
	if err != nil {
		return err
	}
	doubts, err := set.Doubts(ctx, f.limit)
	if err != nil {
		return err
	}
	if len(doubts) == 0 {
		fmt.Fprintf(a.Stderr, "nothing to review: of %d labelled rows none is suspect, disputed or undecided\n", len(set.Rows))
		return nil
	}
	count := map[string]int{}
	for _, d := range doubts {
		count[d.Sort]++
	}
	out := a.Data()
	if f.output != "-" {
		file, err := os.OpenFile(f.output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) {
			return &diagnostic.UsageError{Message: f.output + " exists already", Hint: "a review that was begun is not overwritten: name another file"}
		}
		if err != nil {
			return atomicfile.Failure(err)
		}
		defer file.Close()
		out = file
	}
	if err := set.WriteCSV(out, doubts); err != nil {
		return atomicfile.Failure(err)
	}
	fmt.Fprintf(a.Stderr, "%d rows: %d suspected, %d conflicts, %d uncertain, of %d labelled rows\n", len(doubts), count[review.Suspected], count[review.Conflicting], count[review.Uncertain], len(set.Rows))
	if f.output != "-" {
		fmt.Fprintf(a.Stderr, "change what is wrong, write your name into the column reviewer, then:\n  %s\n", f.importLine(a, args))
	}
	return nil
}

// importLine is the command that takes in what export wrote of the plan, or of the run, that
// args name. A run names no plan that is a file here.
func (f *reviewFlags) importLine(a *app.App, args []string) commandline.Line {
	line := a.Line("review", "import", f.output)
	if len(args) == 1 {
		if _, err := os.Stat(args[0]); err == nil {
			line = a.Line("review", "import", f.output, args[0])
		}
	}
	return f.plan.To(line).Flag("stage", f.stage)
}

// reviewedRows reads the rows of a plan or of a run.
func reviewedRows(ctx context.Context, a *app.App, cmd *cobra.Command, args []string, f *reviewFlags) (*review.Set, error) {
	if len(args) == 1 {
		if _, err := os.Stat(args[0]); err != nil {
			cfg, _, err := a.LoadConfig(cmd, "")
			if err != nil {
				return nil, err
			}
			store, err := a.ReadStore(ctx, cfg)
			if err != nil {
				return nil, err
			}
			defer store.Close()
			if catalog.IsRun(ctx, store, args[0]) {
				return review.OfRun(ctx, store, args[0])
			}
		}
	}
	c, err := a.CompileToRead(ctx, cmd, app.PlanArg(args), &f.plan)
	if err != nil {
		return nil, err
	}
	defer c.Close(a.Log())
	return review.OfPlan(ctx, c.Store, c.Plan, c.Graph, f.stage)
}

func importReview(a *app.App, cmd *cobra.Command, file, plan string, f *reviewFlags) error {
	c, err := a.Compile(cmd.Context(), cmd, plan, &f.plan, false)
	if err != nil {
		return err
	}
	r, err := review.Import(cmd.Context(), review.ImportOptions{Plan: c.Plan, Graph: c.Graph, Stage: f.stage, File: file, Overlay: f.overlay, Reviewer: f.reviewer, Now: app.Now()})
	if err != nil {
		return err
	}
	for _, line := range r.Conflicts {
		fmt.Fprintln(a.Stdout, line)
	}
	fmt.Fprintf(a.Stdout, "%d corrections added to %s; %d rows say nothing new, %d have no reviewer; %d labels differ from an earlier review\n", r.Added, r.Overlay, r.Same, r.Anonymous, len(r.Conflicts))
	if r.Added+r.Same == 0 {
		return &diagnostic.UsageError{Message: "no row of " + file + " has a reviewer", Hint: "write a name into the column reviewer of the rows that were looked at, or pass --reviewer NAME for all"}
	}
	if !r.Used {
		fmt.Fprintf(a.Stdout, "the plan does not use it yet; below `with` of stage %s add:\n  source: [%s, overlay]\n  overlay: {file: %s}\n", r.Stage, strings.Join(r.Source, ", "), filepath.Base(r.Overlay))
	}
	fmt.Fprintf(a.Stdout, "the next run labels by it:\n  %s\n", f.plan.To(a.Line("run", c.Plan.File)))
	return nil
}
