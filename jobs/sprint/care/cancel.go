// Package care holds the commands that look after runs, stores, the machine and
// the settings: cancel, leftovers, unlock, gc, store, doctor, config, schema, completion and version. Each file
// is a command, or what one asks of the system.
package care

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
)

// Commands are the commands that look after runs, stores, the machine and the settings.
func Commands(a *app.App) []*cobra.Command {
	return []*cobra.Command{
		cancelCommand(a), leftoversCommand(a), unlockCommand(a), gcCommand(a), storeCommand(a), doctorCommand(a),
		configCommand(a), schemaCommand(a), completionCommand(a), versionCommand(a),
	}
}

func cancelCommand(a *app.App) *cobra.Command {
	var reason string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "cancel [RUN]",
		Short: "Ask a live run, on any machine, to checkpoint and end",
		Long: `Ask a run to checkpoint and end, as its own Ctrl-C would. The request goes
through the store, so the run may be on any machine; it ends with code 75, and
the command that started it continues it. Without RUN the newest live run.`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.OnStore(func(ctx context.Context, store *storage.Store, args []string) error {
			return cancelRun(ctx, a, store, args, reason, wait)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "said by the run when it ends")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for its end; 0 only asks")
	return cmd
}

func cancelRun(ctx context.Context, a *app.App, store *storage.Store, args []string, reason string, wait time.Duration) error {
	if wait < 0 {
		return &diagnostic.UsageError{Message: fmt.Sprintf("--wait %s is no time to wait", wait), Hint: "0 only asks"}
	}
	var s runs.Status
	var err error
	if len(args) == 0 {
		s, err = catalog.Newest(ctx, store, runs.Status.Live)
		if errors.Is(err, storage.ErrNotFound) {
			return &diagnostic.UsageError{Message: "no run of this store is live", Hint: "`sprint runs` lists them"}
		}
	} else {
		s, err = runs.Load(ctx, store, args[0])
	}
	if err != nil {
		return catalog.NoRun(strings.Join(args, " "), err)
	}
	switch s.State {
	case "ended":
		hint := ""
		if s.Record.Continue != "" {
			hint = "continue it with:\n         " + s.Record.Continue
		}
		return &diagnostic.UsageError{Message: fmt.Sprintf("run %s has ended already: %s", s.Run, s.Record.Class), Hint: hint}
	case "killed":
		return &diagnostic.UsageError{Message: fmt.Sprintf("run %s is not live: its %s is gone", s.Run, s.Holder), Hint: "nothing holds it back: the command that started it continues it"}
	}
	earlier, err := runs.Cancel(ctx, store, s.Run, reason)
	if err != nil {
		return err
	}
	who := "its process"
	if s.Holder.PID != 0 {
		who = s.Holder.String()
	}
	if earlier != nil {
		fmt.Fprintf(a.Stdout, "run %s: %s has been asked before to checkpoint and end: %s\n", s.Run, who, &runs.CancelledError{Cancellation: *earlier})
	} else {
		fmt.Fprintf(a.Stdout, "run %s: asked %s to checkpoint and end\n", s.Run, who)
	}
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); {
		if s, err = runs.Load(ctx, store, s.Run); err != nil {
			return err
		}
		if s.Record != nil {
			fmt.Fprintf(a.Stdout, "run %s has ended: %s\n", s.Run, s.Record.Class)
			if s.Record.Continue != "" {
				fmt.Fprintf(a.Stdout, "continue with:\n  %s\n", a.Hint(s.Record.Continue))
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
	if wait > 0 {
		fmt.Fprintf(a.Stdout, "it has not ended within %s (%s); `%s` tells when it has\n", wait, s, a.Line("status", s.Run))
	}
	return nil
}
