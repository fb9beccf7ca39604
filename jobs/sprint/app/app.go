// Package app holds what commands share:
//
//   - app.go: the streams, the flags of all commands and the config; an end with an
//     exit code
//   - store.go: the store that is named or found, opened to write or to read
//   - compile.go: a plan compiled, with or without the store of its config
//   - trust.go: the keys whose models are trusted
//   - mirror.go: the mirrors of a plan's models brought up to date
//   - log.go: the log as lines for people
//   - terminal.go: how wide the terminal is, and whether it has colours
//   - print.go: JSON, sizes, digests and warnings as commands print them
//
// It knows no command.
package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/stages"
)

// App is what every command shares.
type App struct {
	Env   []string
	Stdin io.Reader
	// What is shown goes to stdout and stderr; data that is not text to be
	// shown goes to Data, and what draws on a terminal to the writers behind them.
	Stdout, Stderr *sanitize.Writer
	unwritten      error // of Data
	Args           []string
	Ending         *Ending
	// Execute runs another command line as the program would, and returns its exit
	// code.
	Execute func(ctx context.Context, words []string) int

	// Flags of all commands.
	ConfigFile, Profile string
	Verbose, Quiet      bool
	Full                bool // tables as wide as they are
	Flags               configFlags
	AsJSON              bool // -o json of a command that prints a document

	piped []byte // the plan that came from standard input

	toldConfig bool               // that a config was found
	store      string             // of the config that was loaded last
	search     *config.FoundStore // how that was found; nil if it was named
}

// Ending is how a command that was asked to end does so. Nil is that of a command that
// nobody asks.
type Ending struct {
	abort   chan struct{}
	orderly atomic.Bool
}

// NewEnding makes the ending of a command.
func NewEnding() *Ending { return &Ending{abort: make(chan struct{})} }

// Orderly says that the command ends by itself once its context has, however long what it
// stores takes. Others are given up after a few seconds: one may wait for a file that
// never comes.
func (e *Ending) Orderly() {
	if e != nil {
		e.orderly.Store(true)
	}
}

// IsOrderly reports whether the command said so.
func (e *Ending) IsOrderly() bool { return e.orderly.Load() }

// Abort tells the command that nobody waits for checkpoints any more.
func (e *Ending) Abort() { close(e.abort) }

// Aborted is closed then.
func (e *Ending) Aborted() <-chan struct{} {
	if e == nil {
		return nil
	}
	return e.abort
}

// configFlags are the flags that override the config. Each is marked by
// overrides: on another command a flag of the same name means something else.
type configFlags struct {
	Store, Executor, Device, Output, Cache string
	Parallel                               int
	KeepGoing, Offline                     bool
	Deadline, MaxCost                      string
	ModelKeys                              []string
}

// Log is the program's logger: warnings in plain words by default, records of all
// levels with -v, errors alone with -q.
func (a *App) Log() *slog.Logger { return a.log(slog.LevelWarn) }

// News is the logger of a program that goes on for long: it tells what changes too, such as
// which release answers.
func (a *App) News() *slog.Logger { return a.log(slog.LevelInfo) }

// log is a logger that shows records from a level on, unless -v or -q says otherwise.
func (a *App) log(level slog.Level) *slog.Logger {
	if a.Verbose && !a.Quiet {
		return slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if a.Quiet {
		level = slog.LevelError
	}
	return slog.New(&plainLog{mu: new(sync.Mutex), out: a.Stderr, level: level})
}

// Getenv looks a variable up in the environment that run was given.
func (a *App) Getenv(name string) string {
	value := ""
	for _, kv := range a.Env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			value = v
		}
	}
	return value
}

// overriding marks a flag that overrides the config.
const overriding = "sprint_overrides_config"

// Overrides marks flags of a command as those of configFlags. On another command
// a flag of the same name means something else.
func Overrides(flags interface {
	SetAnnotation(name, key string, values []string) error
}, names ...string) {
	for _, name := range names {
		_ = flags.SetAnnotation(name, overriding, []string{"true"}) // it fails for a flag that is not there
	}
}

// LoadConfig merges flags, environment, profile, files and defaults.
func (a *App) LoadConfig(cmd *cobra.Command, planDir string) (*config.Config, map[string]options.Origin, error) {
	given := map[string]any{}
	set := func(flag, option string, value any) {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Changed && f.Annotations[overriding] != nil {
			given[option] = value
		}
	}
	set("store", "store", a.Flags.Store)
	set("executor", "executor", a.Flags.Executor)
	set("device", "device", a.Flags.Device)
	set("output", "output", a.Flags.Output)
	set("cache", "cache", a.Flags.Cache)
	set("jobs", "parallel", int64(a.Flags.Parallel))
	set("keep-going", "keep_going", a.Flags.KeepGoing)
	set("offline", "offline", a.Flags.Offline)
	set("deadline", "deadline", a.Flags.Deadline)
	set("max-cost", "max_cost", a.Flags.MaxCost)
	set("key", "model_keys", list(a.Flags.ModelKeys))
	c, origins, err := config.LoadConfig(config.Source{
		Flags: given, Env: a.Env, File: a.ConfigFile, Profile: a.Profile, PlanDir: planDir, User: a.userConfig(), Found: a.foundConfig,
	})
	if err == nil {
		a.locateStore(c, origins)
	}
	return c, origins, err
}

// list is a list as options take it.
func list(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}

// userConfig is the path of the user's own config, empty if there is no place for one.
func (a *App) userConfig() string {
	for _, dir := range []string{a.Getenv("XDG_CONFIG_HOME"), filepath.Join(a.Getenv("HOME"), ".config"), a.Getenv("AppData")} {
		if filepath.IsAbs(dir) {
			return filepath.Join(dir, "sprint", "config.yaml")
		}
	}
	return ""
}

// foundConfig says once that a config is used because it lay in a folder.
func (a *App) foundConfig(path string) {
	if !a.toldConfig && !a.Quiet {
		fmt.Fprintf(a.Stderr, "sprint: using the config %s\n", path)
	}
	a.toldConfig = true
}

// Version is the module's version, or the commit it was built from.
func Version() string {
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

// maxSecret caps the file of a secret; keys and tokens have a few kilobytes at most.
const maxSecret = 64 << 10

// Secret resolves a reference: env:NAME or file:PATH.
func (a *App) Secret(ref string) (string, error) {
	kind, name, _ := strings.Cut(ref, ":")
	switch kind {
	case "env":
		if v := a.Getenv(name); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the environment variable %s is empty", name)
	case "file":
		b, err := plainfile.Read(name, maxSecret)
		if err != nil {
			return "", err
		}
		return strings.TrimSpace(string(b)), nil
	}
	return "", fmt.Errorf("a secret is a reference, env:NAME or file:PATH")
}

// CommandLine is this command, to be pasted.
func (a *App) CommandLine() string { return commandline.Of(a.Args...).String() }

// ExitError is an end with a code, of a command that has said why.
type ExitError struct{ Code stages.Code }

// Exit ends a command with a code after its message was printed.
func Exit(code stages.Code) error { return &ExitError{code} }

func (e *ExitError) Error() string { return e.Code.Class() }

// Interrupted gives a command that a signal ended its exit code.
func Interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", stages.ErrInterrupted, context.Cause(ctx))
	}
	return err
}
