package care

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/places"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
)

// leftoverFlags are those of leftovers.
type leftoverFlags struct {
	executor string
	end, all bool
	jobs     []string
}

func leftoversCommand(a *app.App) *cobra.Command {
	var f leftoverFlags
	cmd := &cobra.Command{
		Use:   "leftovers [JOB...]",
		Short: "Show what runs at any executor of the config, and who waits for it; --end ends what nobody waits for",
		Long: `Show the jobs that have not ended at the executors of the config. The store says who
waits for each: a live runner; nobody, where its runner is gone; or it is unknown there,
since another store's runner began it. A lease that nobody has been seen to renew is
watched for 20 seconds.

A job for which nobody waits ends by itself after the executor's ` + "`orphan`" + ` (10 minutes), and
until then the next run of its plan follows it. --end ends such jobs at once, and with --all
those of this store's live runs too, which begin them again. A job of another store, maybe
somebody else's, is ended only where it is named. Only what has the name and the marks of a
job of sprint is shown and ended.

Workers on this machine end with their runner, and leave nothing to show here.`,
		Example: "  sprint leftovers\n  sprint leftovers --executor gpu --end",
		Args:    cobra.ArbitraryArgs, ValidArgsFunction: cobra.NoFileCompletions, // asking every place takes too long
		RunE: func(cmd *cobra.Command, args []string) error {
			switch f.jobs = args; {
			case f.all && !f.end:
				return &diagnostic.UsageError{Message: "--all says what --end ends", Hint: "without --end every job is shown"}
			case f.all && len(args) > 0:
				return &diagnostic.UsageError{Message: "--all and a JOB say both what --end ends", Hint: "leave one of them out"}
			}
			cfg, _, err := a.LoadConfig(cmd, "")
			if err != nil {
				return err
			}
			return app.Interrupted(cmd.Context(), leftovers(cmd.Context(), a, cfg, f))
		},
	}
	cmd.Flags().StringVar(&f.executor, "executor", "", "only this executor of the config")
	cmd.Flags().BoolVar(&f.end, "end", false, "end the jobs for which nobody waits")
	cmd.Flags().BoolVar(&f.all, "all", false, "with --end: also those of this store's live runs")
	a.JSONFlag(cmd, "one JSON object per job, or failure to find some")
	return cmd
}

func leftovers(ctx context.Context, a *app.App, cfg *config.Config, f leftoverFlags) error {
	names := cfg.ExecutorNames()
	if f.executor != "" {
		names = []string{f.executor}
	}
	if len(names) == 0 {
		if !a.AsJSON {
			fmt.Fprintln(a.Stdout, "the config names no executor: nothing runs elsewhere")
		}
		return nil
	}
	store, err := a.ReadStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	found, err := places.FindLeftovers(ctx, places.Options{Config: cfg, Store: store, Environ: a.Env, Log: a.Log()}, 0, names)
	if err != nil {
		return err
	}
	defer func() {
		if err := found.Close(); err != nil {
			a.Log().Debug("a connection did not end", "error", err)
		}
	}()
	for _, job := range f.jobs {
		if !slices.ContainsFunc(found.All, func(l places.Leftover) bool { return l.Err != nil || l.ID == job }) {
			return &diagnostic.UsageError{Message: fmt.Sprintf("no job that goes on is called %q", job), Hint: "`sprint leftovers` lists them"}
		}
	}
	if len(f.jobs) > 0 {
		found.All = slices.DeleteFunc(found.All, func(l places.Leftover) bool { return l.Err == nil && !slices.Contains(f.jobs, l.ID) })
	}
	if f.end {
		found.End(ctx, f.all, f.jobs)
	}
	if err := writeLeftovers(a, found.All, f); err != nil {
		return err
	}
	if slices.ContainsFunc(found.All, func(l places.Leftover) bool { return l.Err != nil }) {
		return app.Exit(stages.CodeEnvironment) // all is said already
	}
	return nil
}

// leftoverLine is a line of leftovers -o json.
type leftoverLine struct {
	Executor string         `json:"executor"`
	Job      string         `json:"job,omitempty"`
	Run      string         `json:"run,omitempty"`
	Stage    string         `json:"stage,omitempty"`
	Attempt  int            `json:"attempt,omitempty"`
	Phase    executor.Phase `json:"phase,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Node     string         `json:"node,omitempty"`
	Since    *time.Time     `json:"since,omitempty"`
	Owner    remote.Owner   `json:"owner,omitempty"`
	Ended    bool           `json:"ended,omitempty"`
	Error    string         `json:"error,omitempty"`
	Hint     string         `json:"hint,omitempty"`
}

func writeLeftovers(a *app.App, all []places.Leftover, f leftoverFlags) error {
	if a.AsJSON {
		for i := range all {
			if err := json.NewEncoder(a.Stdout).Encode(lineOf(&all[i])); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(a.Stdout, "nothing runs elsewhere")
		return nil
	}
	t := a.Table(table.Column{Name: "EXECUTOR"}, table.Column{Name: "JOB", Cut: true}, table.Column{Name: "STATE"}, table.Column{Name: "SINCE", Drop: 1},
		table.Column{Name: "NODE", Cut: true, Drop: 2}, table.Column{Name: "WHO WAITS"})
	abandoned := 0
	for i := range all {
		l := lineOf(&all[i])
		since, who := "", ownerWords(all[i].Owner)
		if l.Since != nil {
			since = time.Since(*l.Since).Round(time.Second).String() + " ago"
		}
		state := string(l.Phase)
		switch {
		case l.Job == "":
			state, who = "not reached", ""
		case l.Error != "":
			state = "not ended"
		case l.Ended:
			state = "ended"
		case all[i].Owner == remote.OwnerNobody:
			abandoned++
		}
		t.Row(l.Executor, l.Job, state, since, l.Node, who)
	}
	if err := t.Write(a.Stdout); err != nil {
		return err
	}
	for i := range all {
		if l := lineOf(&all[i]); l.Error != "" {
			fmt.Fprintf(a.Stdout, "%s: %s\n", l.Executor, strings.ReplaceAll(l.Error, "\n", "\n  "))
			if l.Hint != "" {
				fmt.Fprintf(a.Stdout, "  %s\n", l.Hint)
			}
		}
	}
	if !f.end && abandoned > 0 {
		fmt.Fprintf(a.Stdout, "end what nobody waits for with:\n  %s --end\n", a.CommandLine())
	}
	return nil
}

func ownerWords(o remote.Owner) string {
	return map[remote.Owner]string{remote.OwnerRunner: "a live run", remote.OwnerNobody: "nobody", remote.OwnerUnknown: "not of this store"}[o]
}

func lineOf(l *places.Leftover) leftoverLine {
	out := leftoverLine{
		Executor: l.Executor, Job: l.ID, Run: l.Run, Stage: l.Stage, Attempt: l.Attempt,
		Phase: l.Status.Phase, Reason: l.Status.Reason, Node: l.Status.Node, Owner: l.Owner, Ended: l.Ended,
	}
	if !l.Since.IsZero() {
		out.Since = &l.Since
	}
	if l.Err != nil {
		out.Error, out.Hint = l.Err.Error(), executor.Hint(l.Err)
	}
	return out
}
