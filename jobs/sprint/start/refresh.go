package start

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/progress"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/promotion"
	"github.com/sprint-ml/sprint/jobs/refresh"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage/models"
)

func refreshCommand(a *app.App) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "refresh [PLAN]", Short: "Train a plan's model anew where that is due, and promote it if it is no worse", Args: cobra.MaximumNArgs(1),
		Long: `Fetch the plan's new window of rows and compare it with what the champion was trained
on: how far categories, languages, domains and lengths drifted (population stability index
with 95 % intervals), and the F1 that the champion's calibrated scores let expect, without
labels. The plan is run on the window only if that is due: by the champion's age, drift,
the F1 or new rows, as the plan's block refresh says, and not within the cooldown.

What the run publishes is the challenger. It and the champion answer the plan's gold set,
and the corrections that reviewers made since and that did not train it. The alias champion
moves if the challenger is no worse than min_change allows; else the alias refused does, and
its history says why (sprint models history NAME). Where the config has model_keys, one of
them must have signed both (code 9). A challenger that a refresh left behind
undecided is decided on by the next. One refresh of a model goes on at a time (code 7).

The report goes to standard output, in Markdown or JSON, what happens to standard error. It
ends with 0 if nothing was due or the challenger was promoted, with 10 if it was refused,
with 11 if the window has no rows, and with the code of the run if that failed (1, where that
is 10).`,
		Example: "  sprint refresh plan.yaml\n  sprint refresh plan.yaml --result refresh.json -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return refreshAndReport(cmd.Context(), a, cmd, app.PlanArg(args), &f)
		},
	}
	f.PlanFlags.Add(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.result, "result", "", "write the result to this file, as -o json does; empty until then")
	fl.StringVar(&a.Flags.Device, "device", "", "device: auto, cpu, cuda or go")
	fl.StringVar(&a.Flags.Executor, "executor", "", executorUsage)
	fl.StringVar(&a.Flags.Deadline, "deadline", "", "stop a run, checkpointed, after this long, for example 2h")
	fl.StringVar(&a.Flags.MaxCost, "max-cost", "", "what a run may cost, for example \"5 USD\": a training ends in time with its best epoch")
	app.Overrides(fl, "device", "executor", "deadline", "max-cost")
	a.JSONFlag(cmd, "the result")
	return cmd
}

// refreshAndReport refreshes and reports what came of it, whatever it was.
func refreshAndReport(ctx context.Context, a *app.App, cmd *cobra.Command, path string, f *runFlags) error {
	if err := f.takeFiles(path); err != nil {
		return err
	}
	out, err := refreshPlan(ctx, a, cmd, path, f)
	if out == nil {
		out = &refresh.Result{Due: []refresh.Reason{}, Drift: []refresh.Measure{}, Notes: []string{}}
	}
	out.Hint = a.Hint(out.Hint)
	if err != nil {
		out.Code = executor.Code(err)
		out.Class, out.Error, out.Hint = out.Code.Class(), err.Error(), a.Hint(executor.Hint(err))
	}
	switch {
	case a.AsJSON:
		err = errors.Join(err, json.NewEncoder(a.Stdout).Encode(out))
	case err == nil:
		err = out.Markdown(a.Stdout)
	}
	err = errors.Join(err, progress.WriteResult(f.result, out))
	if err == nil && out.Code != 0 {
		return app.Exit(out.Code)
	}
	return err
}

// refreshPlan compiles the plan once, so that what is looked at is what is trained on.
func refreshPlan(ctx context.Context, a *app.App, cmd *cobra.Command, path string, f *runFlags) (*refresh.Result, error) {
	c, err := compileToRun(ctx, a, cmd, path, &f.PlanFlags)
	if err != nil {
		return nil, err
	}
	defer c.Close(a.Log())
	keys, err := a.StoreKeys(c.Config)
	if err != nil {
		return nil, err
	}
	trust, err := a.ModelTrust(c.Config)
	if err != nil {
		return nil, err
	}
	where := answers.Options{
		Store: c.Config.Store, Keys: keys, Trust: trust, Device: c.Config.Device, Cache: c.Config.Cache, Offline: c.Config.Offline, Log: a.Log(), Announce: func(s string) { fmt.Fprintln(a.Stderr, s) },
	}
	r := &refresh.Refresh{
		Store: c.Store, Graph: c.Graph, Log: a.Log(), Now: app.Now(), Who: models.Who(a.Getenv),
		Runner: stageRunner{a, c, f}, Answerer: refresh.Models{Options: where}, Try: promotion.Smoke(c.Store, where),
	}
	out, err := r.Run(ctx)
	if err != nil {
		return out, app.Interrupted(ctx, err)
	}
	// Whoever ends this while it waits for mirrors has what was decided.
	if err := progress.WriteResult(f.result, out); err != nil {
		a.Log().Error("could not write --result", "error", err)
	}
	out.Mirrors = a.FollowMirrors(ctx, c, func(string) bool { return true })
	return out, nil
}

// stageRunner runs stages of a compiled plan and shows that on standard error.
type stageRunner struct {
	a *app.App
	c *app.Compiled
	f *runFlags
}

// Run implements refresh.Runner.
func (r stageRunner) Run(ctx context.Context, until string) (*runs.Result, error) {
	f := *r.f
	f.until = until
	mode := r.c.Config.Output
	if mode == "json" { // standard output is the result's
		mode = "plain"
	}
	summary := r.a.Stderr
	if until != "" { // it would show the stages of before as this run's
		summary = &sanitize.Writer{Out: io.Discard}
	}
	return runCompiled(ctx, r.a, r.c, &f, mode, summary, func(*runs.Result) {})
}
