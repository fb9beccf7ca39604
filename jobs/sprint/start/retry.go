package start

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/commandline"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func retryCommand(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use:   "retry RUN",
		Short: "Repeat a run's command",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.StoreOf(cmd)
			if err != nil {
				return err
			}
			words, err := startedBy(cmd.Context(), store, args[0])
			store.Close()
			if err != nil {
				return err
			}
			// A store may be anyone's: it cannot make this any other command.
			if named, _, err := cmd.Root().Find(words); err != nil || named.Name() != "run" {
				return &config.UsageError{Message: fmt.Sprintf("run %s does not say how it was started", args[0])}
			}
			if code := a.Execute(cmd.Context(), words); code != 0 {
				return app.Exit(stages.Code(code))
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
		return nil, catalog.NoRun(run, err)
	}
	var words []string
	switch {
	case s.Live():
		return nil, &config.UsageError{Message: fmt.Sprintf("run %s is not over: %s", run, s), Hint: fmt.Sprintf("`%s` follows it, `%s` ends it", commandline.Of("logs", "-f", run), commandline.Of("cancel", run))}
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
