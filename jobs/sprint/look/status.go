// Package look holds the commands that say what happened in a run, and why:
// status, runs, logs, explain, graph, report, diff, trace and artifacts. Each file
// is a command, or what one prints.
package look

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/progress"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
)

// Commands are the commands that say what happened in a run, and why.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{
		statusCommand(a), runsCommand(a), logsCommand(a), explainCommand(a), graphCommand(a),
		reportCommand(a), diffCommand(a), traceCommand(a), artifactsCommand(a),
	}
}

func statusCommand(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use: "status [RUN]", Short: "Show how a run ended or how far it is; the newest by default", Args: cobra.MaximumNArgs(1),
		RunE: a.OnStoreOrNone(func(ctx context.Context, s *storage.Store, args []string) error { return showStatus(ctx, a, s, args) }),
	}
	a.JSONFlag(cmd, "the stored result, or the stages so far")
	return cmd
}

func showStatus(ctx context.Context, a *app.App, store *storage.Store, args []string) error {
	if len(args) == 0 {
		var err error
		if args, err = runs.List(ctx, store, 1); err != nil {
			return err
		}
		if len(args) == 0 {
			if a.AsJSON {
				fmt.Fprintln(a.Stdout, "null")
				return nil
			}
			fmt.Fprintf(a.Stdout, "no runs: %s\n", a.Where(store))
			return nil
		}
	}
	s, err := runs.Load(ctx, store, args[0])
	if err != nil {
		return catalog.NoRun(args[0], err)
	}
	if s.Record == nil {
		return showProgress(ctx, a, store, s)
	}
	if a.AsJSON {
		return json.NewEncoder(a.Stdout).Encode(s.Record.Result)
	}
	r := s.Record
	fmt.Fprintf(a.Stdout, "run %s of %s: %s (code %d), %s, %s\n", args[0], r.Plan, r.Class, r.Code, r.Started.Local().Format(time.DateTime), r.Finished.Sub(r.Started).Round(100*time.Millisecond))
	progress.StageTable(a.Stdout, a.Screen(), &r.Result)
	if r.Error != "" {
		fmt.Fprintf(a.Stdout, "%s\n", r.Error)
	}
	if r.Continue != "" {
		fmt.Fprintf(a.Stdout, "%s\n  %s\n", progress.Next(&r.Result), a.Hint(r.Continue))
	}
	return nil
}

// showProgress shows a run that has no end in the store.
func showProgress(ctx context.Context, a *app.App, store *storage.Store, s runs.Status) error {
	stages, err := runs.Progress(ctx, store, s.Run)
	if err != nil {
		return err
	}
	if a.AsJSON {
		return json.NewEncoder(a.Stdout).Encode(struct {
			runs.Status
			Cost   *runs.Cost         `json:"cost,omitempty"`
			Stages []runs.StageResult `json:"stages"`
		}{s, runs.CostOf(stages), stages})
	}
	resolved, err := runs.LoadResolved(ctx, store, s.Run)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	fmt.Fprintf(a.Stdout, "run %s of %s: %s\n", s.Run, resolved.Plan, s)
	progress.StageTable(a.Stdout, a.Screen(), &runs.Result{Stages: stages, Cost: runs.CostOf(stages)})
	switch {
	case s.Live() && s.Cancel != nil:
		fmt.Fprintf(a.Stdout, "follow it to its end with:\n  %s\n", a.Line("logs", "-f", s.Run))
	case s.Live():
		fmt.Fprintf(a.Stdout, "follow it with:\n  %s\nend it, checkpointed, with:\n  %s\n", a.Line("logs", "-f", s.Run), a.Line("cancel", s.Run))
	case resolved.Command != "":
		fmt.Fprintf(a.Stdout, "continue with:\n  %s\n", a.Hint(resolved.Command))
	}
	return nil
}
