package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/progress"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/all"
	"github.com/sprint-ml/sprint/storage"
)

func now() time.Time { return time.Now() }

// runFlags are the flags of run.
type runFlags struct {
	planFlags
	only        []string
	from, until string
	force       []string
	noWait      bool
	junit       string
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [PLAN]",
		Short: "Run a plan: only what is not done yet",
		Long:  "Run the stages of a plan whose options or inputs changed since they were last\ndone. PLAN is a file, or a folder with plan.yaml; plan.yaml here by default.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), cmd, planArg(args), &f)
		},
	}
	f.planFlags.add(cmd)
	a.addRunFlags(cmd, &f)
	return cmd
}

func (a *app) addRunFlags(cmd *cobra.Command, f *runFlags) {
	fl := cmd.Flags()
	fl.StringSliceVar(&f.only, "only", nil, "run these stages alone")
	fl.StringVar(&f.from, "from", "", "run this stage and what follows from it")
	fl.StringVar(&f.until, "until", "", "run this stage and what it needs")
	fl.StringArrayVar(&f.force, "force", nil, "run a stage although it is done; without a name all selected")
	fl.Lookup("force").NoOptDefVal = "*"
	fl.BoolVar(&f.noWait, "no-wait", false, "end with code 7 instead of waiting for a live run that does the same stage")
	fl.StringVar(&f.junit, "junit", "", "write stages and checks to this file as JUnit XML, for CI servers")
	fl.StringVar(&a.flags.device, "device", "", "device: auto, cpu, cuda, go or another PJRT name")
	fl.StringVar(&a.flags.executor, "executor", "", "how attempts are executed: local")
	fl.IntVarP(&a.flags.parallel, "jobs", "j", 0, "stages that may run at once")
	fl.BoolVarP(&a.flags.keepGoing, "keep-going", "k", false, "go on with stages that do not need a failed one")
	fl.StringVar(&a.flags.deadline, "deadline", "", "stop, checkpointed, after this long, for example 2h")
	fl.StringVarP(&a.flags.output, "output", "o", "", "how progress is shown: auto, tty, plain, json, github")
	overrides(fl, "device", "executor", "jobs", "keep-going", "deadline", "output")
}

func (f *runFlags) selection() jobs.Selection {
	s := jobs.Selection{Only: f.only, From: f.from, Until: f.until}
	for _, name := range f.force {
		if name == "*" {
			s.ForceAll = true
		} else {
			s.Force = append(s.Force, name)
		}
	}
	return s
}

// run runs a plan and reports its end. With -o json the last line of stdout is
// the result, whatever happens.
func (a *app) run(ctx context.Context, cmd *cobra.Command, path string, f *runFlags) error {
	jsonOut := a.flags.output == "json" || a.flags.output == "" && a.getenv("SPRINT_OUTPUT") == "json"
	if err := progress.TouchJUnit(f.junit); err != nil {
		return &config.UsageError{Message: fmt.Sprintf("cannot write --junit: %v", err), Hint: "its folder must exist"}
	}
	res, err := a.runPlan(ctx, cmd, path, f)
	if err != nil {
		err = errors.Join(err, progress.WriteJUnit(f.junit, progress.NotBegun(path, err)))
		if jsonOut {
			code := executor.Code(err)
			r := runs.Result{Code: code, Class: code.Class(), Error: err.Error(), Hint: executor.Hint(err), Stages: []runs.StageResult{}}
			_ = json.NewEncoder(a.stdout).Encode(r)
		}
		return err
	}
	if res.Code != 0 {
		return &exitError{res.Code}
	}
	return nil
}

func (a *app) runPlan(ctx context.Context, cmd *cobra.Command, path string, f *runFlags) (*runs.Result, error) {
	c, err := a.compileOnStore(ctx, cmd, path, &f.planFlags)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	defer c.close(a.log())
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	view := progress.New(c.config.Output, progress.Options{
		Out: a.stdout, Err: a.stderr, Getenv: a.getenv, Verbose: a.verbose, Quiet: a.quiet, Log: a.log(), Store: c.store, Graph: c.graph, StoreFlag: a.flags.store,
	})
	local := local.New(all.All(), c.store, program, a.env, a.secret)
	local.Abort = a.abort
	r := &jobs.Runner{
		Store: c.store, Executor: local, Observer: view, Log: a.log(),
		Parallel: c.config.Parallel, KeepGoing: c.config.KeepGoing, Select: f.selection(), Deadline: c.config.Deadline,
		NoWait:   f.noWait,
		CacheDir: c.config.Cache, Offline: c.config.Offline, Endpoints: c.config.Endpoints, Version: version(),
		Command: a.commandLine(false), Continue: a.commandLine(true), Args: a.args,
	}
	res, err := r.Run(ctx, c.graph)
	if err != nil {
		view.Close()
		return nil, interrupted(ctx, err)
	}
	if res.Report, err = render.Keep(ctx, c.store, res); err != nil { // the run has ended all the same
		a.log().Warn("could not keep the run's report; `sprint report` makes it again", "run", *res.Run, "error", err)
	}
	view.Finish(ctx, res)
	if err := progress.WriteJUnit(f.junit, progress.NewJUnit(context.WithoutCancel(ctx), c.store, c.plan.Name, res)); err != nil {
		a.log().Error("could not write --junit", "error", err)
	}
	return res, nil
}

// interrupted gives a command that a signal ended its exit code.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", stages.ErrInterrupted, context.Cause(ctx))
	}
	return err
}

// commandLine is this command, to be pasted. The one that continues does not
// force again what was done.
func (a *app) commandLine(again bool) string {
	words := []string{"sprint"}
	for _, w := range a.args {
		if again && (w == "--force" || strings.HasPrefix(w, "--force=")) {
			continue
		}
		words = append(words, commandline.Quote(w))
	}
	return strings.Join(words, " ")
}

func (a *app) retryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "retry RUN",
		Short: "Repeat a run's command",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.storeOf(cmd)
			if err != nil {
				return err
			}
			words, err := startedBy(cmd.Context(), store, args[0])
			store.Close()
			if err != nil {
				return err
			}
			// A store may be anyone's: it cannot make this any other command.
			if named, _, err := a.root().Find(words); err != nil || named.Name() != "run" {
				return &config.UsageError{Message: fmt.Sprintf("run %s does not say how it was started", args[0])}
			}
			if code := execute(cmd.Context(), a.abort, words, a.env, a.stdin, a.stdout.Out, a.stderr.Out); code != 0 {
				return &exitError{stages.Code(code)}
			}
			return nil
		},
	}
}

// startedBy returns the words of the command that started a run, without the
// program. A run that is live is not repeated.
func startedBy(ctx context.Context, store *storage.Store, run string) ([]string, error) {
	s, err := runs.Load(ctx, store, run)
	if err != nil {
		return nil, noRun(run, err)
	}
	var words []string
	switch {
	case s.Live():
		return nil, &config.UsageError{Message: fmt.Sprintf("run %s is not over: %s", run, s), Hint: fmt.Sprintf("`sprint logs -f %s` follows it, `sprint cancel %s` ends it", run, run)}
	case s.Record != nil:
		words = s.Record.Args
	default: // it was killed
		resolved, err := runs.LoadResolved(ctx, store, run)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
		words = resolved.Args
	}
	return words, nil
}

func noRun(id string, err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return &config.UsageError{Message: "the store has no run " + id, Hint: "`sprint runs` lists its runs"}
	}
	if errors.Is(err, storage.ErrDenied) || errors.Is(err, storage.ErrCorrupt) || errors.Is(err, storage.ErrTransient) {
		return err
	}
	return &config.UsageError{Message: fmt.Sprintf("cannot read run %s: %v", id, err), Hint: "`sprint runs` lists the runs of the store"}
}

func (a *app) workerCommand() *cobra.Command {
	var o executor.WorkerOptions
	cmd := &cobra.Command{
		Use: "worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithCancelCause(cmd.Context())
			defer cancel(nil)
			// Standard input is the lifeline: it ends when the runner does.
			go func() {
				_, _ = io.Copy(io.Discard, a.stdin)
				cancel(errParentGone)
			}()
			store, err := storage.Open(ctx, a.flags.store, &storage.Options{Log: a.log()})
			if err != nil {
				return err
			}
			defer store.Close()
			if code := executor.Work(ctx, store, all.All(), o, a.secret, a.stdout.Out); code != 0 {
				return &exitError{code}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Run, "run", "", "")
	cmd.Flags().StringVar(&o.Stage, "stage", "", "")
	cmd.Flags().IntVar(&o.Attempt, "attempt", 0, "")
	cmd.Flags().StringVar(&o.Digest, "digest", "", "")
	cmd.Flags().BoolVar(&o.Preflight, "preflight", false, "")
	return cmd
}
