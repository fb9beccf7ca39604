package start

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
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
			words, err := catalog.StartedBy(cmd.Context(), store, args[0])
			store.Close()
			if err != nil {
				return err
			}
			// A store may be anyone's: it cannot make this any other command.
			if named, _, err := cmd.Root().Find(words); err != nil || named.Name() != "run" {
				return &diagnostic.UsageError{Message: fmt.Sprintf("run %s does not say how it was started", args[0])}
			}
			if code := a.Execute(cmd.Context(), words); code != 0 {
				return app.Exit(stages.Code(code))
			}
			return nil
		},
	}
}
