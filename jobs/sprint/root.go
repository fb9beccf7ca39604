package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/jobs/sprint/care"
	"github.com/sprint-ml/sprint/jobs/sprint/labels"
	"github.com/sprint-ml/sprint/jobs/sprint/look"
	"github.com/sprint-ml/sprint/jobs/sprint/model"
	"github.com/sprint-ml/sprint/jobs/sprint/start"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/redact"
)

// execute runs the command line and returns the exit code. Once ending is
// aborted, what was asked to end does so without waiting for checkpoints.
func execute(ctx context.Context, ending *app.Ending, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app.App{Env: env, Stdin: stdin, Args: args, Ending: ending}
	github := a.Getenv("GITHUB_ACTIONS") == "true"
	a.Stdout, a.Stderr = &sanitize.Writer{Out: stdout, GitHub: github}, &sanitize.Writer{Out: stderr, GitHub: github}
	a.Execute = func(ctx context.Context, words []string) int {
		return execute(ctx, ending, words, env, stdin, stdout, stderr)
	}
	defer func() { _ = a.Stderr.Flush() }() // there is nowhere left to say so
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(a.Stderr)
	called, err := root.ExecuteContextC(ctx)
	if a.Unread(err) {
		err = nil // whoever read the answer has enough
	}
	// A script that reads a part of an answer must not take it for the whole.
	if unwritten := a.Stdout.Flush(); err == nil && unwritten != nil && !errors.Is(unwritten, syscall.EPIPE) {
		err = stages.Fail(stages.CodeEnvironment, "free space where standard output goes, then run the same command", "cannot write the answer: %w", unwritten)
	}
	var exit *app.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit.Code)
	}
	if usage := usageOf(root, called, err); usage != nil {
		err = usage
	}
	return reportError(a, err)
}

// reportError prints an error once, with the next step, and returns its code.
func reportError(a *app.App, err error) int {
	code := executor.Code(err)
	fmt.Fprintf(a.Stderr, "sprint: %s\n", a.Hint(redact.URLs(err.Error())))
	if hint := executor.Hint(err); hint != "" {
		fmt.Fprintf(a.Stderr, "       %s\n", a.Hint(hint))
	}
	return int(code)
}

func newRoot(a *app.App) *cobra.Command {
	root := &cobra.Command{
		Use:   "sprint",
		Short: "Run one-day model sprints from a plan",
		Long: `sprint runs the stages of a plan (fetch, label, split, train, prune, verify, publish),
keeps every artifact in a blob store, and does nothing twice: a stage whose
options and inputs did not change is cached.

` + exitTable(),
		SilenceErrors: true, SilenceUsage: true, DisableSuggestions: true,
		Version: app.Version(), CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Example: "  sprint init demo && sprint run demo/plan.yaml\n  sprint plan plan.yaml\n  sprint classify --model quickstart \"Storm closes the harbour\"",
	}
	f := root.PersistentFlags()
	f.StringVar(&a.ConfigFile, "config", "", "config file (default: sprint.yaml beside the plan, else here; your own is ~/.config/sprint/config.yaml)")
	f.StringVar(&a.Profile, "profile", "", "section of the config files to use")
	f.BoolVarP(&a.Verbose, "verbose", "v", false, "log more")
	f.BoolVarP(&a.Quiet, "quiet", "q", false, "log errors alone")
	f.BoolVar(&a.Full, "full", false, "show tables as wide as they are, whatever the terminal's width")
	f.StringVar(&a.Flags.Store, "store", "", "where artifacts and runs are kept: folder or file://, s3://, gs:// URL")
	f.StringVar(&a.Flags.Cache, "cache", "", "folder for encoders and plugins, yours alone")
	f.BoolVar(&a.Flags.Offline, "offline", false, "use only what is in the cache and the store")
	app.Overrides(f, "store", "cache", "offline")
	root.AddCommand(slices.Concat(start.Commands(a), look.Commands(a), model.Commands(a), labels.Commands(a), care.Commands(a))...)
	root.SetFlagErrorFunc(wrongFlag)
	help := helpCommand(root)
	root.SetHelpCommand(help)
	root.AddCommand(help)
	root.SetVersionTemplate("sprint {{.Version}}\n")
	group(root)
	if len(a.Args) > 0 && strings.HasPrefix(a.Args[0], cobra.ShellCompRequestCmd) { // no other call needs them
		completer{a}.add(root)
	}
	return root
}

// exitTable is the exit table as --help prints it.
func exitTable() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range stages.Exits() {
		fmt.Fprintf(&b, "  %3d  %s\n", e.Code, e.Meaning)
	}
	return b.String()
}
