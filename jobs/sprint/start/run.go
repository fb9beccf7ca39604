package start

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/local"
	"github.com/sprint-ml/sprint/jobs/executor/places"
	"github.com/sprint-ml/sprint/jobs/progress"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/report/render"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/all"
)

// runFlags are the flags of run.
type runFlags struct {
	app.PlanFlags
	only        []string
	from, until string
	force       []string
	noWait      bool
	junit       string
	result      string
}

// executorUsage is what run and plan say of --executor.
const executorUsage = "where stages are executed: auto, local, an executor of the config, or STAGE=NAME,..."

func runCommand(a *app.App) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [PLAN]",
		Short: "Run a plan: only what is not done yet",
		Long:  "Run the stages of a plan whose options or inputs changed since they were last\ndone. PLAN is a file, a folder with plan.yaml, or - for\nstandard input, with paths relative to the working directory; plan.yaml by default.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAndReport(cmd.Context(), a, cmd, app.PlanArg(args), &f)
		},
	}
	f.PlanFlags.Add(cmd)
	addRunFlags(a, cmd, &f)
	return cmd
}

func addRunFlags(a *app.App, cmd *cobra.Command, f *runFlags) {
	fl := cmd.Flags()
	fl.StringSliceVar(&f.only, "only", nil, "run these stages alone")
	fl.StringVar(&f.from, "from", "", "run this stage and what follows from it")
	fl.StringVar(&f.until, "until", "", "run this stage and what it needs")
	fl.StringArrayVar(&f.force, "force", nil, "run a stage although it is done; without a name all selected")
	fl.Lookup("force").NoOptDefVal = "*"
	fl.BoolVar(&f.noWait, "no-wait", false, "end with code 7 instead of waiting for a live run that does the same stage")
	fl.StringVar(&f.junit, "junit", "", "write stages and checks to this file as JUnit XML, for CI servers")
	fl.StringVar(&f.result, "result", "", "write the result to this file, as -o json ends; empty until then")
	fl.StringVar(&a.Flags.Device, "device", "", "device: auto, cpu, cuda or go")
	fl.StringVar(&a.Flags.Executor, "executor", "", executorUsage)
	fl.IntVarP(&a.Flags.Parallel, "jobs", "j", 0, "stages that may run at once")
	fl.BoolVarP(&a.Flags.KeepGoing, "keep-going", "k", false, "go on with stages that do not need a failed one")
	fl.StringVar(&a.Flags.Deadline, "deadline", "", "stop, checkpointed, after this long, for example 2h")
	fl.StringVar(&a.Flags.MaxCost, "max-cost", "", "what the run may cost, for example \"5 USD\": a training ends in time with its best epoch")
	fl.StringVarP(&a.Flags.Output, "output", "o", "", "how progress is shown: auto, tty, plain, json, github")
	app.Overrides(fl, "device", "executor", "jobs", "keep-going", "deadline", "max-cost", "output")
}

// continueLine is the command that does what a run left: it forces none of the
// stages that the run has done.
func continueLine(args, force []string, results []runs.StageResult) commandline.Line {
	var left []string
	forced, done := slices.Contains(force, "*"), 0
	for _, s := range results {
		switch {
		case !forced && !slices.Contains(force, s.Name) || s.Reason == jobs.NotSelected:
		case s.State.Done() || s.State == runs.Failed && len(s.Outputs) > 0:
			done++
		default:
			left = append(left, "--force="+s.Name)
		}
	}
	if done == 0 {
		return commandline.Of(args...)
	}
	again := slices.DeleteFunc(slices.Clone(args), func(w string) bool { return w == "--force" || strings.HasPrefix(w, "--force=") })
	return commandline.Of(again...).With(left...)
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

// takeFiles refuses files for the end of a run that the run reads, and tries to write the
// others. The result is empty then: that of an earlier run would pass for this one's, if this
// one is killed.
func (f *runFlags) takeFiles(plan string) error {
	files := []struct {
		flag, path string
		open       func(path string) error
	}{{"--junit", f.junit, progress.TouchJUnit}, {"--result", f.result, progress.ClearResult}}
	for _, file := range files {
		for _, input := range append([]string{plan}, f.Values()...) {
			if plainfile.Same(input, file.path) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("%s %s is %s itself, which it would replace", file.flag, file.path, input), Hint: "name another file"}
			}
		}
	}
	for _, file := range files {
		if err := file.open(file.path); err != nil {
			return &diagnostic.UsageError{Message: fmt.Sprintf("cannot write %s: %v", file.flag, err), Hint: "its folder must exist"}
		}
	}
	return nil
}

// runAndReport runs a plan and reports its end. With -o json the last line of stdout is
// the result, whatever happens.
func runAndReport(ctx context.Context, a *app.App, cmd *cobra.Command, path string, f *runFlags) error {
	jsonOut := a.Flags.Output == "json" || a.Flags.Output == "" && a.Getenv("SPRINT_OUTPUT") == "json"
	if err := f.takeFiles(path); err != nil {
		return err
	}
	res, unwritten, err := runPlan(ctx, a, cmd, path, f)
	if err != nil {
		err = errors.Join(err, progress.WriteJUnit(f.junit, progress.NotBegun(path, err)))
		code := executor.Code(err)
		r := runs.Result{Code: code, Class: code.Class(), Error: err.Error(), Hint: a.Hint(executor.Hint(err)), Stages: []runs.StageResult{}}
		if mode := cmp.Or(a.Flags.Output, a.Getenv("SPRINT_OUTPUT")); mode == "github" || (mode == "" || mode == "auto") && a.Getenv("GITHUB_ACTIONS") == "true" {
			a.ForGitHub()
			progress.AnnotateMistakes(a.Stdout.Out, "error", a.Getenv("GITHUB_WORKSPACE"), progress.Mistakes(err))
			err = errors.Join(err, progress.WriteOutputs(a.Getenv("GITHUB_OUTPUT"), &r))
		}
		if jsonOut {
			_ = json.NewEncoder(a.Stdout).Encode(r)
		}
		return errors.Join(err, progress.WriteResult(f.result, &r))
	}
	if unwritten && res.Code == stages.CodeDone {
		return app.Exit(stages.CodeEnvironment) // whoever reads the file must not take the run for green
	}
	if res.Code != stages.CodeDone {
		return app.Exit(res.Code)
	}
	return nil
}

// compileToRun compiles a plan on its store, and looks into the files that it names. The
// caller closes what it returns.
func compileToRun(ctx context.Context, a *app.App, cmd *cobra.Command, path string, f *app.PlanFlags) (*app.Compiled, error) {
	c, err := a.CompileOnStore(ctx, cmd, path, f)
	if err != nil {
		return nil, app.Interrupted(ctx, err)
	}
	if err := a.CheckFiles(ctx, c); err != nil {
		c.Close(a.Log())
		return nil, app.Interrupted(ctx, err)
	}
	return c, nil
}

// runPlan runs a plan; unwritten says that a file which was asked for, and told of, lacks its
// end.
func runPlan(ctx context.Context, a *app.App, cmd *cobra.Command, path string, f *runFlags) (res *runs.Result, unwritten bool, err error) {
	c, err := compileToRun(ctx, a, cmd, path, &f.PlanFlags)
	if err != nil {
		return nil, false, err
	}
	defer c.Close(a.Log())
	said := false
	keep := func(res *runs.Result) {
		err := progress.WriteResult(f.result, res)
		if unwritten = err != nil; unwritten && !said {
			said = true
			a.Log().Error("could not write --result; the run is in the store, and the same command writes it again", "error", err)
		}
	}
	res, err = runCompiled(ctx, a, c, f, c.Config.Output, a.Stdout, func(res *runs.Result) {
		keep(res) // whoever ends this while it waits for mirrors has the end of the run
		res.Mirrors = a.FollowMirrors(ctx, c, func(stage string) bool {
			return slices.ContainsFunc(res.Stages, func(s runs.StageResult) bool { return s.Name == stage && s.State.Done() })
		})
	})
	if err != nil {
		return nil, false, err
	}
	keep(res)
	if err := progress.WriteJUnit(f.junit, progress.NewJUnit(context.WithoutCancel(ctx), c.Store, c.Plan.Name, res)); err != nil {
		unwritten = true
		a.Log().Error("could not write --junit", "error", err)
	}
	return res, unwritten, nil
}

// runCompiled runs the selected stages of a plan that was compiled on its store, and shows
// the run in an output mode, its summary on out. follow is called when the run has ended: it
// may add to the result, which is the last that JSON shows; who reads a summary does not wait.
func runCompiled(ctx context.Context, a *app.App, c *app.Compiled, f *runFlags, mode string, out *sanitize.Writer, follow func(*runs.Result)) (*runs.Result, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	view := progress.New(mode, progress.Options{
		Out: out, Err: a.Stderr, Getenv: a.Getenv, Verbose: a.Verbose, Quiet: a.Quiet, Full: a.Full, KeepGoing: c.Config.KeepGoing, Log: a.Log(), Store: c.Store, Graph: c.Graph, Parallel: c.Config.Parallel, StoreFlag: a.StoreFlag(),
	})
	local := local.New(all.All(), c.Store, program, workerEnviron(a.Env, c), a.Secret)
	local.Abort, local.WorkerFlags = a.Ending.Aborted(), app.WorkerFlags(c.Config)
	executors, err := places.New(places.Options{
		Config: c.Config, Store: c.Store, Local: local, Environ: a.Env, Log: a.Log(), Program: program, WorkerFlags: app.WorkerFlags(c.Config), Abort: a.Ending.Aborted(),
	}, c.Graph)
	if err != nil {
		view.Close()
		return nil, err
	}
	defer func() {
		if err := executors.Close(); err != nil {
			a.Log().Debug("a connection did not end", "error", err)
		}
	}()
	r := &jobs.Runner{
		Store: c.Store, Executor: executors, Observer: view, Log: a.Log(),
		Parallel: c.Config.Parallel, KeepGoing: c.Config.KeepGoing, Select: f.selection(), Deadline: c.Config.Deadline, MaxCost: c.Config.MaxCost,
		NoWait:   f.noWait,
		CacheDir: c.Config.Cache, Offline: c.Config.Offline, Endpoints: c.Config.Endpoints, Version: app.Version(),
		Command: a.CommandLine(), Continue: func(s []runs.StageResult) string { return continueLine(a.Args, f.force, s).String() }, Args: a.Args,
	}
	a.Ending.Orderly()
	res, err := r.Run(ctx, c.Graph)
	if err != nil {
		view.Close()
		return nil, app.Interrupted(ctx, err)
	}
	if res.Report, err = render.Keep(ctx, c.Store, res); err != nil { // the run has ended all the same
		a.Log().Warn("could not keep the run's report; `sprint report` makes it again", "run", *res.Run, "error", err)
	}
	if mode == "json" {
		follow(res)
		view.Finish(ctx, res)
	} else {
		view.Finish(ctx, res)
		follow(res)
	}
	return res, nil
}

// workerEnviron is the environment of workers: without the variables that hold secrets
// of stages which run in this process. What opens the store and the hub stays.
func workerEnviron(env []string, c *app.Compiled) []string {
	here, there := map[string]bool{}, map[string]bool{}
	for _, reference := range append([]string{c.Config.StoreKey}, c.Config.StoreKeysAccepted...) {
		if name, ok := strings.CutPrefix(reference, "env:"); ok {
			there[name] = true
		}
	}
	for _, node := range c.Graph.Nodes {
		names := here
		if node.Kind.Isolated != nil && node.Kind.Isolated(node.Options) {
			names = there
		}
		for _, reference := range options.Secrets(node.Options) {
			if name, ok := strings.CutPrefix(reference, "env:"); ok {
				names[name] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		shared := name == "HF_TOKEN" || strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "GOOGLE_")
		return here[name] && !there[name] && !shared
	})
}
