package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/all"
	"github.com/sprint-ml/sprint/storage"
)

// app is what every command shares.
type app struct {
	env   []string
	stdin io.Reader
	// What is shown goes to stdout and stderr; data that is not text to be
	// shown, and what draws on a terminal, goes to the writers behind them.
	stdout, stderr *sanitize.Writer
	args           []string
	abort          <-chan struct{} // closed: nobody waits for checkpoints any more

	// Flags of all commands.
	configFile, profile string
	verbose, quiet      bool
	flags               configFlags
	asJSON              bool // -o json of a command that prints a document
}

// configFlags are the flags that override the config. Each is marked by
// overrides: on another command a flag of the same name means something else.
type configFlags struct {
	store, executor, device, output, cache string
	parallel                               int
	keepGoing, offline                     bool
	deadline                               string
}

// execute runs the command line and returns the exit code. Once abort is
// closed, what was asked to end does so without waiting for checkpoints.
func execute(ctx context.Context, abort <-chan struct{}, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{env: env, stdin: stdin, args: args, abort: abort}
	github := a.getenv("GITHUB_ACTIONS") == "true"
	a.stdout, a.stderr = &sanitize.Writer{Out: stdout, GitHub: github}, &sanitize.Writer{Out: stderr, GitHub: github}
	defer a.stdout.Flush()
	defer a.stderr.Flush()
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit.code)
	}
	return a.report(err)
}

// report prints an error once, with the next step, and returns its code.
func (a *app) report(err error) int {
	code := executor.Code(err)
	if strings.HasPrefix(err.Error(), "unknown command") || strings.HasPrefix(err.Error(), "unknown flag") || strings.HasPrefix(err.Error(), "unknown shorthand") ||
		strings.HasPrefix(err.Error(), "accepts ") || strings.HasPrefix(err.Error(), "requires ") || strings.HasPrefix(err.Error(), "flag needs") ||
		strings.HasPrefix(err.Error(), "invalid argument") || strings.HasPrefix(err.Error(), "required flag") {
		code = stages.CodeUsage
	}
	fmt.Fprintf(a.stderr, "sprint: %v\n", err)
	if hint := executor.Hint(err); hint != "" {
		fmt.Fprintf(a.stderr, "       %s\n", hint)
	}
	return int(code)
}

// log is the program's logger: warnings by default, more with -v, errors
// alone with -q.
func (a *app) log() *slog.Logger {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	if a.quiet {
		level = slog.LevelError
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// getenv looks a variable up in the environment that run was given.
func (a *app) getenv(name string) string {
	value := ""
	for _, kv := range a.env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			value = v
		}
	}
	return value
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sprint",
		Short: "Run one-day model sprints from a plan",
		Long: `sprint runs the stages of a plan (fetch, label, split, train, verify, publish),
keeps every artifact in a blob store, and does nothing twice: a stage whose
options and inputs did not change is cached.

` + exitTable(),
		SilenceErrors: true, SilenceUsage: true,
		Example: "  sprint init demo && sprint run demo/plan.yaml\n  sprint plan plan.yaml\n  sprint classify --model quickstart \"Storm closes the harbour\"",
	}
	f := root.PersistentFlags()
	f.StringVar(&a.configFile, "config", "", "config file (default: sprint.yaml beside the plan, else here)")
	f.StringVar(&a.profile, "profile", "", "section of the config file to use")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "log more")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "log errors alone")
	f.StringVar(&a.flags.store, "store", "", "where artifacts and runs are kept: folder or file://, s3://, gs:// URL")
	f.StringVar(&a.flags.cache, "cache", "", "folder for encoders and plugins")
	f.BoolVar(&a.flags.offline, "offline", false, "use only what is in the cache and the store")
	overrides(f, "store", "cache", "offline")
	root.AddCommand(
		a.initCommand(), a.validateCommand(), a.planCommand(), a.runCommand(), a.retryCommand(), a.statusCommand(), a.runsCommand(), a.logsCommand(),
		a.explainCommand(), a.graphCommand(), a.previewCommand(), a.reviewCommand(), a.classifyCommand(), a.serveCommand(), a.promoteCommand(), a.doctorCommand(), a.schemaCommand(),
		a.configCommand(), a.versionCommand(), a.workerCommand(),
		a.cancelCommand(), a.unlockCommand(), a.artifactsCommand(), a.traceCommand(), a.diffCommand(), a.reportCommand(), a.gcCommand(),
	)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &config.UsageError{Message: err.Error(), Hint: "`sprint help COMMAND` lists the flags"}
	})
	return root
}

// overriding marks a flag that overrides the config.
const overriding = "sprint_overrides_config"

// overrides marks flags of a command as those of configFlags. On another command
// a flag of the same name means something else.
func overrides(flags interface {
	SetAnnotation(name, key string, values []string) error
}, names ...string) {
	for _, name := range names {
		_ = flags.SetAnnotation(name, overriding, []string{"true"}) // it fails for a flag that is not there
	}
}

// loadConfig merges flags, environment, profile, file and defaults.
func (a *app) loadConfig(cmd *cobra.Command, planDir string) (*config.Config, map[string]options.Origin, error) {
	given := map[string]any{}
	set := func(flag, option string, value any) {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Changed && f.Annotations[overriding] != nil {
			given[option] = value
		}
	}
	set("store", "store", a.flags.store)
	set("executor", "executor", a.flags.executor)
	set("device", "device", a.flags.device)
	set("output", "output", a.flags.output)
	set("cache", "cache", a.flags.cache)
	set("jobs", "parallel", int64(a.flags.parallel))
	set("keep-going", "keep_going", a.flags.keepGoing)
	set("offline", "offline", a.flags.offline)
	set("deadline", "deadline", a.flags.deadline)
	return config.LoadConfig(config.Source{Flags: given, Env: a.env, File: a.configFile, Profile: a.profile, PlanDir: planDir})
}

// openStore opens the store of a config.
func (a *app) openStore(ctx context.Context, c *config.Config) (*storage.Store, error) {
	s, err := storage.Open(ctx, c.Store, &storage.Options{Log: a.log()})
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "check --store; `sprint doctor --store URL` tries it", "cannot open the store: %w", err)
	}
	return s, nil
}

// planFlags are the flags of commands that read a plan.
type planFlags struct {
	set, values []string
}

func (p *planFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&p.set, "set", nil, "override an option: stage.option=YAML (repeatable)")
	cmd.Flags().StringArrayVar(&p.values, "values", nil, "YAML file of {stage: {option: value}} (repeatable)")
}

// planArg is the plan's path: the argument, or plan.yaml here.
func planArg(args []string) string {
	if len(args) == 0 {
		return "plan.yaml"
	}
	if fi, err := os.Stat(args[0]); err == nil && fi.IsDir() {
		return filepath.Join(args[0], "plan.yaml")
	}
	return args[0]
}

// compiled is a plan ready to be looked up or run.
type compiled struct {
	plan   *config.Plan
	graph  *graph.Graph
	config *config.Config
	lookup *graph.Lookup
	store  *storage.Store // of compileOnStore
}

func (c *compiled) close(log *slog.Logger) {
	if c.store != nil {
		c.store.Close()
	}
	if c.lookup != nil {
		if err := c.lookup.Close(); err != nil {
			log.Warn("could not remember file digests", "error", err)
		}
	}
}

// compile loads and compiles a plan. Without resolve nothing outside the plan
// and its taxonomy is looked at.
func (a *app) compile(ctx context.Context, cmd *cobra.Command, path string, p *planFlags, resolve bool) (*compiled, error) {
	plan, err := config.LoadPlan(path)
	if err != nil {
		return nil, err
	}
	cfg, _, err := a.loadConfig(cmd, plan.Dir())
	if err != nil {
		return nil, err
	}
	options, err := config.NewOptions(plan, config.Overrides{Set: p.set, Env: a.env, Values: p.values})
	if err != nil {
		return nil, err
	}
	c := &compiled{plan: plan, config: cfg}
	if resolve {
		c.lookup = graph.NewLookup(plan.Dir(), cfg.Cache, cfg.Offline, now())
	}
	c.graph, err = graph.Compile(ctx, plan, graph.CompileOptions{Registry: all.All(), Options: options, Device: cfg.Device, Lookup: c.lookup})
	if err == nil {
		err = c.graph.CheckDevices(cfg.Device)
	}
	if err != nil {
		c.close(a.log())
		return nil, err
	}
	return c, nil
}

// compileOnStore compiles a plan with all that it names, and opens the store of
// its config.
func (a *app) compileOnStore(ctx context.Context, cmd *cobra.Command, path string, p *planFlags) (*compiled, error) {
	c, err := a.compile(ctx, cmd, path, p, true)
	if err != nil {
		return nil, err
	}
	if c.store, err = a.openStore(ctx, c.config); err != nil {
		c.close(a.log())
		return nil, err
	}
	return c, nil
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				v += "-" + s.Value[:12]
			}
		}
	}
	return v
}
