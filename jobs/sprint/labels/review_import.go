package labels

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/labels/review"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
)

func importReview(a *app.App, cmd *cobra.Command, file, plan string, f *reviewFlags) error {
	c, err := a.Compile(cmd.Context(), cmd, plan, &f.plan, false)
	if err != nil {
		return err
	}
	r, err := review.Import(review.ImportOptions{Plan: c.Plan, Graph: c.Graph, Stage: f.stage, File: file, Overlay: f.overlay, Reviewer: f.reviewer, Now: app.Now()})
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
	fmt.Fprintf(a.Stdout, "the next run labels by it:\n  %s\n", commandline.Of("run", c.Plan.File))
	return nil
}
