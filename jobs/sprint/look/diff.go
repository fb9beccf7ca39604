package look

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/comparison"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

type diffFlags struct {
	exitCode, all, markdown bool
	failOn                  []string
}

func diffCommand(a *app.App) *cobra.Command {
	var f diffFlags
	cmd := &cobra.Command{
		Use:   "diff [RUN [RUN]]",
		Short: "Compare two runs: F1 by category, rows that turned, options, data",
		Long: `Compare two runs that ended: by default the newest that measured something with
the one of the same plan before it, with one RUN that run with the newest of its plan.

F1 is compared on the rows that both measured: the change has an interval of 95 %
(2000 resamples of the rows, paired; for all categories together), and a word:
better, worse, or noise where the interval holds 0.`,
		Example: "  sprint diff\n  sprint diff --md --fail-on 'macro_f1 < -0.01'",
		Args:    cobra.MaximumNArgs(2),
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return diffRuns(ctx, a, s, args, f)
		}),
	}
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "end with 1 if the runs differ")
	cmd.Flags().BoolVar(&f.all, "all", false, "every row that turned, every option and number that differs, what stages made")
	cmd.Flags().BoolVar(&f.markdown, "md", false, "as Markdown, for a comment or a step summary")
	cmd.Flags().StringArrayVar(&f.failOn, "fail-on", nil, "end with 5 beyond a limit of a change: 'macro_f1 < -0.01', micro_f1, f1.CATEGORY; more than one may be given")
	a.JSONFlag(cmd, "the whole comparison")
	return cmd
}

func diffRuns(ctx context.Context, a *app.App, s *storage.Store, args []string, f diffFlags) error {
	limits := make([]comparison.Limit, len(f.failOn))
	for i, text := range f.failOn {
		var err error
		if limits[i], err = comparison.ParseLimit(text); err != nil {
			return err
		}
	}
	old, now, err := catalog.ToCompare(ctx, s, args, comparison.Measured)
	if err != nil {
		return err
	}
	c, err := provenance.Compare(ctx, s, *old.Run, *now.Run)
	if err != nil {
		return err
	}
	scores, why, err := comparison.Runs(ctx, s, old, now)
	if err != nil {
		return err
	}
	if a.AsJSON {
		err = json.NewEncoder(a.Stdout).Encode(struct {
			Old    string                 `json:"old"`
			New    string                 `json:"new"`
			Scores *comparison.Comparison `json:"scores"` // null if no row was measured by both
			*provenance.Comparison
		}{*old.Run, *now.Run, scores, c})
	} else {
		err = (&diffView{app: a, out: a.Stdout, flags: f}).show(old, now, scores, why, c)
	}
	if err != nil {
		return err
	}
	for _, l := range limits {
		if scores == nil {
			return stages.Fail(stages.CodeGate, "measure both runs on one gold set", "--fail-on: %s", why)
		}
		beyond, message, err := l.Check(scores)
		if err != nil {
			return err
		}
		if beyond {
			return stages.Fail(stages.CodeGate, "", "--fail-on: %s", message)
		}
		fmt.Fprintln(a.Stderr, message)
	}
	if f.exitCode && differ(c) {
		return app.Exit(stages.CodeStage)
	}
	return nil
}

func differ(c *provenance.Comparison) bool {
	return slices.ContainsFunc(c.Stages, func(st provenance.StageComparison) bool {
		return !st.Same || len(st.Outputs)+len(st.Record) > 0
	})
}
