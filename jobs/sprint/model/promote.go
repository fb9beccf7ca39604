package model

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

func promoteCommand(a *app.App) *cobra.Command {
	return &cobra.Command{
		Use: "promote NAME VERSION ALIAS", Short: "Move an alias of a model to a version", Args: cobra.ExactArgs(3),
		Example: "  sprint promote quickstart 2 champion",
		RunE: a.OnStore(func(ctx context.Context, store *storage.Store, args []string) error {
			r, err := models.In(store).Release(ctx, args[0], args[1])
			if errors.Is(err, storage.ErrNotFound) || err != nil && !errors.As(err, new(*storage.Error)) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("the store has no release %s@%s: %v", args[0], args[1], err)}
			}
			if err != nil {
				return err
			}
			if err := models.In(store).SetAlias(ctx, args[0], args[2], r.Version); err != nil {
				return err
			}
			fmt.Fprintf(a.Stdout, "%s@%s is now version %d\n", args[0], args[2], r.Version)
			return nil
		}),
	}
}
