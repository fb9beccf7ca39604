package look

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func diffCommand(a *app.App) *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "diff [RUN [RUN]]",
		Short: "Compare two runs: options, data, metrics",
		Long:  "Compare two runs that ended: by default the newest with the one of the same\nplan before it, with one RUN that run with the newest of its plan.",
		Args:  cobra.MaximumNArgs(2),
		RunE: a.OnStore(func(ctx context.Context, s *storage.Store, args []string) error {
			return diffRuns(ctx, a, s, args, exitCode)
		}),
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with 1 if the runs differ")
	a.JSONFlag(cmd, "the whole comparison")
	return cmd
}

func diffRuns(ctx context.Context, a *app.App, s *storage.Store, args []string, exitCode bool) error {
	old, now, err := catalog.ToCompare(ctx, s, args)
	if err != nil {
		return err
	}
	c, err := provenance.Compare(ctx, s, *old.Run, *now.Run)
	if err != nil {
		return err
	}
	differ := false
	for _, st := range c.Stages {
		differ = differ || !st.Same || len(st.Outputs)+len(st.Record) > 0
	}
	if a.AsJSON {
		err = json.NewEncoder(a.Stdout).Encode(struct {
			Old string `json:"old"`
			New string `json:"new"`
			*provenance.Comparison
		}{*old.Run, *now.Run, c})
	} else {
		err = showDiff(a, old, now, c)
	}
	if err == nil && exitCode && differ {
		return app.Exit(stages.CodeStage)
	}
	return err
}

func showDiff(a *app.App, old, now runs.Record, c *provenance.Comparison) error {
	out := a.Stdout
	for _, x := range []struct {
		mark string
		r    runs.Record
	}{{"-", old}, {"+", now}} {
		fmt.Fprintf(out, "%s run %s of %s: %s, %s\n", x.mark, *x.r.Run, x.r.Plan, x.r.Class, x.r.Started.Local().Format(time.DateTime))
	}
	same := 0
	for _, st := range c.Stages {
		if st.Same && len(st.Outputs)+len(st.Record) == 0 {
			same++
			continue
		}
		showStage(out, st)
	}
	if len(c.Metrics) > 0 {
		fmt.Fprintln(out, "\nmetrics:")
		w := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
		for _, m := range c.Metrics {
			delta := ""
			if m.Old != nil && m.New != nil {
				delta = fmt.Sprintf("%+.4g", *m.New-*m.Old)
			}
			fmt.Fprintf(w, "  %s.%s\t%s\t-> %s\t%s\n", m.Stage, m.Name, number(m.Old), number(m.New), delta)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	switch {
	case same == len(c.Stages):
		fmt.Fprintln(out, "the same work with the same results")
	case same > 0:
		fmt.Fprintf(out, "\n%d of %d stages are the same\n", same, len(c.Stages))
	}
	return nil
}

func number(v *float64) string {
	if v == nil {
		return "(none)"
	}
	return strconv.FormatFloat(*v, 'g', 6, 64)
}

func showStage(out io.Writer, st provenance.StageComparison) {
	fmt.Fprintf(out, "\n%s", st.Name)
	switch {
	case st.Old == nil:
		fmt.Fprintln(out, ": only in the second run")
		return
	case st.New == nil:
		fmt.Fprintln(out, ": only in the first run")
		return
	case st.Same:
		fmt.Fprint(out, ": the same work")
	}
	if st.Old.State != st.New.State {
		fmt.Fprintf(out, ": %s -> %s", st.Old.State, st.New.State)
	}
	fmt.Fprintln(out)
	for _, ch := range st.Changes {
		fmt.Fprintf(out, "  %s\n", ch)
	}
	for _, ch := range st.Record {
		fmt.Fprintf(out, "  %s (in no key)\n", ch)
	}
	for _, d := range st.Inputs {
		fmt.Fprintf(out, "  reads %s: %s -> %s\n", d.Name, shortOrNone(d.Old), shortOrNone(d.New))
	}
	for _, d := range st.Outputs {
		fmt.Fprintf(out, "  makes %s: %s -> %s\n", d.Name, shortOrNone(d.Old), shortOrNone(d.New))
	}
}

func shortOrNone(digest string) string {
	if digest == "" {
		return "(none)"
	}
	return app.Short(digest)
}
