package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/strictyaml"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/estimate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/all"
	"github.com/sprint-ml/sprint/storage"
)

// PlanFlags are the flags of commands that read a plan.
type PlanFlags struct {
	set, values []string
}

// Add gives a command the flags.
func (p *PlanFlags) Add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&p.set, "set", nil, "override an option: stage.option=YAML (repeatable)")
	cmd.Flags().StringArrayVar(&p.values, "values", nil, "YAML file, or a pipe, of {stage: {option: value}} (repeatable)")
}

// To is a command with the overrides of this one, to be typed next.
func (p *PlanFlags) To(line commandline.Line) commandline.Line {
	for _, value := range p.set {
		line = line.Flag("set", value)
	}
	for _, value := range p.values {
		line = line.Flag("values", value)
	}
	return line
}

// Values are the files of --values.
func (p *PlanFlags) Values() []string { return p.values }

// Words are those of a command line that has the flags.
func (p *PlanFlags) Words() []string {
	var out []string
	for _, x := range p.set {
		out = append(out, "--set", x)
	}
	for _, x := range p.values {
		out = append(out, "--values", x)
	}
	return out
}

// PlanArg is the plan's path: the argument, or plan.yaml here.
func PlanArg(args []string) string {
	if len(args) == 0 {
		return "plan.yaml"
	}
	if fi, err := os.Stat(args[0]); err == nil && fi.IsDir() {
		return filepath.Join(args[0], "plan.yaml")
	}
	return args[0]
}

// Compiled is a plan ready to be looked up or run.
type Compiled struct {
	Plan   *config.Plan
	Graph  *graph.Graph
	Config *config.Config
	lookup *graph.Lookup
	Store  *storage.Store // of CompileOnStore and CompileToRead
}

// Close closes the store, and keeps the digests of files that were read.
func (c *Compiled) Close(log *slog.Logger) {
	if c.Store != nil {
		c.Store.Close()
	}
	if c.lookup != nil {
		if err := c.lookup.Close(); err != nil {
			log.Warn("could not remember file digests", "error", err)
		}
	}
}

// Compile loads and compiles a plan. Without resolve nothing outside the plan
// and its taxonomy is looked at.
func (a *App) Compile(ctx context.Context, cmd *cobra.Command, path string, p *PlanFlags, resolve bool) (*Compiled, error) {
	plan, err := a.LoadPlan(path)
	if err != nil {
		return nil, err
	}
	cfg, _, err := a.LoadConfig(cmd, plan.Dir())
	if err != nil {
		return nil, err
	}
	options, err := p.options(ctx, a, plan, cfg.Deadline)
	if err != nil {
		return nil, err
	}
	c := &Compiled{Plan: plan, Config: cfg}
	how := graph.CompileOptions{Registry: all.All(), Options: options, Device: cfg.Device}
	if resolve {
		if how.Trust, err = readTrust(cfg); err != nil {
			return nil, err
		}
		c.lookup = graph.NewLookup(plan.Dir(), cfg.Cache, cfg.Offline, Now())
		how.Lookup = c.lookup
	}
	c.Graph, err = graph.Compile(ctx, plan, how)
	if err == nil {
		err = c.Graph.CheckDevices(cfg.Device)
	}
	if err != nil {
		c.Close(a.Log())
		return nil, err
	}
	return c, nil
}

// options merges the options of a plan's stages. A file of values may be a pipe, which
// is waited for no longer than the deadline; 0 is none.
func (p *PlanFlags) options(ctx context.Context, a *App, plan *config.Plan, deadline time.Duration) (*config.Options, error) {
	waiting, stop := context.WithCancel(ctx)
	if deadline > 0 {
		waiting, stop = context.WithTimeout(ctx, deadline)
	}
	defer stop()
	o, err := config.NewOptions(plan, config.Overrides{Set: p.set, Env: a.Env, Values: p.values, Read: func(path string) ([]byte, error) {
		return strictyaml.ReadPipe(waiting, path)
	}})
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return nil, stages.Fail(stages.CodeDeadline, "nothing was begun", "the --values did not come within the deadline of %s", deadline)
	}
	if err != nil {
		return nil, Interrupted(ctx, err)
	}
	return o, nil
}

// stdin are the paths by which a plan comes from standard input.
var stdin = []string{"-", "/dev/stdin"}

// LoadPlan reads a plan file; - is standard input, whose paths are relative to the
// working directory.
func (a *App) LoadPlan(path string) (*config.Plan, error) {
	if !slices.Contains(stdin, path) {
		return config.LoadPlan(path)
	}
	if a.piped == nil {
		if f, ok := a.Stdin.(*os.File); ok && sanitize.Terminal(f) != nil && !a.Quiet {
			fmt.Fprintln(a.Stderr, "sprint: reading the plan from the terminal; end it with Ctrl-D")
		}
		data, err := io.ReadAll(io.LimitReader(a.Stdin, maxPlan))
		if err != nil {
			return nil, diagnostic.Errors{{Pos: diagnostic.Position{File: "-"}, Message: fmt.Sprintf("cannot read the plan: %v", err)}}
		}
		a.piped = data
	}
	return config.ParsePlan("-", a.piped)
}

// maxPlan is more than a plan may have.
const maxPlan = 2 << 20

// CompileOnStore compiles a plan with all that it names, and opens the store of
// its config.
func (a *App) CompileOnStore(ctx context.Context, cmd *cobra.Command, path string, p *PlanFlags) (*Compiled, error) {
	c, err := a.Compile(ctx, cmd, path, p, true)
	if err != nil {
		return nil, err
	}
	a.tellSecondStore(c, "a new store is made here")
	if c.Store, err = a.OpenStore(ctx, c.Config); err != nil {
		c.Close(a.Log())
		return nil, err
	}
	return c, nil
}

// CompileToRead is CompileOnStore for commands that only look: a store that is not
// there is empty, and stays so.
func (a *App) CompileToRead(ctx context.Context, cmd *cobra.Command, path string, p *PlanFlags) (*Compiled, error) {
	c, err := a.Compile(ctx, cmd, path, p, true)
	if err != nil {
		return nil, err
	}
	a.tellSecondStore(c, "`sprint run` would make a new store here")
	if c.Store, err = a.readOrEmpty(ctx, c.Config); err != nil {
		c.Close(a.Log())
		return nil, err
	}
	return c, nil
}

// CheckFiles looks into the files of people that a plan names, and prints what is odd in
// them. It refuses a stage that may be interrupted and keeps no checkpoints, with what the
// store knows that this would cost.
func (a *App) CheckFiles(ctx context.Context, c *Compiled) error {
	if err := c.Graph.CheckPreemptible(estimate.Lost(ctx, c.Graph, c.Store)); err != nil {
		return err
	}
	warnings, err := c.Graph.CheckFiles(ctx)
	a.Warn(warnings)
	return err
}

// Now is the time by which plans and reviews are dated.
func Now() time.Time { return time.Now() }
