package labels

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/atomicfile"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/labels/review"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

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
	out := a.Stdout.Out
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
		fmt.Fprintf(a.Stderr, "change what is wrong, write your name into the column reviewer, then:\n  %s\n", commandline.Of("review", "import", f.output))
	}
	return nil
}

// reviewedRows reads the rows of a plan or of a run.
func reviewedRows(ctx context.Context, a *app.App, cmd *cobra.Command, args []string, f *reviewFlags) (*review.Set, error) {
	if len(args) == 1 {
		if _, err := os.Stat(args[0]); err != nil {
			store, err := a.StoreOf(cmd)
			if err != nil {
				return nil, err
			}
			defer store.Close()
			if catalog.IsRun(ctx, store, args[0]) {
				return review.OfRun(ctx, store, args[0])
			}
		}
	}
	c, err := a.CompileOnStore(ctx, cmd, app.PlanArg(args), &f.plan)
	if err != nil {
		return nil, err
	}
	defer c.Close(a.Log())
	return review.OfPlan(ctx, c.Store, c.Plan, c.Graph, f.stage)
}
