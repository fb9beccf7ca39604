package start

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func retryCommand(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:   "retry RUN",
		Short: "Repeat a run's command: the same plan, the same stages",
		Long: `Repeat the command that started a run. The plan must lie at its place below the
working directory and be the one that ran. Of the command's flags those that choose
stages and pace are repeated; one that was started with others, such as --set, is
shown and not run: whoever writes to a store writes what it says of its runs.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			line, err := retryLine(cmd.Context(), a, cmd, args[0])
			if err != nil {
				return err
			}
			if !a.Quiet {
				fmt.Fprintln(a.Stderr, line)
			}
			if code := a.Execute(cmd.Context(), line.Words()); code != 0 {
				return app.Exit(stages.Code(code))
			}
			return nil
		},
	}
}

// retryLine is the command that repeats a run. Nothing that the store says chooses what it
// runs but the stages of the user's own plan.
func retryLine(ctx context.Context, a *app.App, cmd *cobra.Command, run string) (commandline.Line, error) {
	cfg, _, err := a.LoadConfig(cmd, "")
	if err != nil {
		return commandline.Line{}, err
	}
	store, err := a.ReadStore(ctx, cfg)
	if err != nil {
		return commandline.Line{}, err
	}
	defer store.Close()
	start, err := catalog.StartOf(ctx, store, run)
	if err != nil {
		return commandline.Line{}, err
	}
	named, words, err := cmd.Root().Find(start.Args)
	if err != nil || named.Name() != "run" {
		return commandline.Line{}, &diagnostic.UsageError{Message: fmt.Sprintf("run %s does not say how it was started", run)}
	}
	given, err := parseWords(named, words)
	if err != nil {
		return commandline.Line{}, refuseRetry(run, start, fmt.Sprintf("it was started with what this sprint does not know: %v", err))
	}
	kept, refused := given.harmless(cfg.Store)
	if len(refused) > 0 {
		return commandline.Line{}, refuseRetry(run, start, "it was started with "+strings.Join(refused, ", "))
	}
	path := app.PlanArg(given.args)
	switch {
	case start.Plan == "":
		return commandline.Line{}, refuseRetry(run, start, "it does not say which plan it ran")
	case !below(".", path):
		return commandline.Line{}, refuseRetry(run, start, "its plan does not lie below the working directory")
	case inStore(cfg.Store, path):
		return commandline.Line{}, refuseRetry(run, start, "its plan lies in the store")
	}
	plan, err := config.LoadPlan(path)
	switch {
	case err != nil:
		return commandline.Line{}, err
	case plan.Digest != start.Plan:
		return commandline.Line{}, refuseRetry(run, start, "its plan has changed since")
	case strings.HasPrefix(path, "-"):
		path = "." + string(filepath.Separator) + path
	}
	line := commandline.Of("run", path).With(kept...)
	own := ownFlags(cmd)
	if there, _, err := a.LoadConfig(cmd, plan.Dir()); err != nil || there.Store != cfg.Store {
		own = append(own, "--store="+store.Source())
	}
	return line.With(own...), nil
}

// maxShown is the length of a command line up to which it is shown.
const maxShown = 4096

// refuseRetry is the end of a retry that would do what the store says. The user may.
func refuseRetry(run string, start catalog.Start, why string) error {
	hint := "start it with `sprint run`"
	if line := commandline.Of(start.Args...).String(); len(line) <= maxShown {
		hint = "whoever writes to the store wrote its command; if it is yours, run it yourself:\n         " + line
	}
	return &diagnostic.UsageError{Message: fmt.Sprintf("run %s cannot be repeated as it was: %s", run, why), Hint: hint}
}

// below reports whether a path leads to what lies in a folder, links followed.
func below(dir, path string) bool {
	var err error
	for _, p := range []*string{&dir, &path} {
		if *p, err = filepath.Abs(*p); err == nil {
			*p, err = filepath.EvalSymlinks(*p)
		}
		if err != nil {
			return false
		}
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

func inStore(rawURL, path string) bool {
	folder, local := storage.Folder(rawURL)
	return local && below(folder, path)
}

// ownFlags are the flags of all commands that the user gave to retry itself.
func ownFlags(cmd *cobra.Command) []string {
	var out []string
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			out = append(out, asWord(f.Name, f.Value.String(), f.NoOptDefVal))
		}
	})
	return out
}

// words are the flags and arguments of a command line, in their order.
type words struct {
	flags []givenFlag
	args  []string
}

type givenFlag struct{ name, value, bare string }

// asWord is the flag as it is given; bare is the value that it has without one.
func asWord(name, value, bare string) string {
	if bare != "" && value == bare {
		return "--" + name
	}
	return "--" + name + "=" + value
}

// parseWords reads the words of a command without running it or setting its flags.
func parseWords(cmd *cobra.Command, all []string) (*words, error) {
	out := &words{}
	set := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	add := func(f *pflag.Flag) {
		if set.Lookup(f.Name) == nil {
			set.AddFlag(&pflag.Flag{Name: f.Name, Shorthand: f.Shorthand, NoOptDefVal: f.NoOptDefVal, Value: &recordedValue{f, out}})
		}
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	if err := set.Parse(all); err != nil {
		return nil, err
	}
	out.args = set.Args()
	return out, cmd.Args(cmd, out.args)
}

// recordedValue is the value of a flag that only notes what it is set to.
type recordedValue struct {
	of  *pflag.Flag
	out *words
}

func (v *recordedValue) String() string { return "" }
func (v *recordedValue) Type() string   { return v.of.Value.Type() }

func (v *recordedValue) Set(value string) error {
	v.out.flags = append(v.out.flags, givenFlag{v.of.Name, value, v.of.NoOptDefVal})
	return nil
}

// harmless returns the flags that a store may choose, and the names of the others: those
// change options, write files, or say where code, config and results lie.
func (w *words) harmless(store string) (kept, refused []string) {
	for _, f := range w.flags {
		switch f.name {
		case "only", "from", "until", "force", "no-wait", "jobs", "keep-going", "deadline", "output", "executor", "offline", "verbose", "quiet":
			kept = append(kept, asWord(f.name, f.value, f.bare))
			continue
		case "device": // any other name is one of a library
			if slices.Contains([]string{device.Auto, device.CPU, device.CUDA, device.Go}, f.value) {
				kept = append(kept, asWord(f.name, f.value, f.bare))
				continue
			}
		case "store":
			if app.SameStore(f.value, store) {
				continue // it is named anyway, or found again
			}
		}
		// max-cost too: it may be higher than that of the user's own config.
		if name := "--" + f.name; !slices.Contains(refused, name) {
			refused = append(refused, name)
		}
	}
	return kept, refused
}
