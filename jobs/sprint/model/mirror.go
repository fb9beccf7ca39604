package model

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

func mirrorCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	var urls []string
	cmd := &cobra.Command{
		Use: "mirror [PLAN]", Short: "Bring the mirrors of a plan's models up to date", Args: cobra.MaximumNArgs(1),
		Long: `Bring the mirrors of the models that a plan publishes up to date: what its publish
stages list under mirror. Each shows every release that an alias names, under its version,
and the aliases as they are in the store; a command is told of each alias that names another
release than it was told. A run of the plan does the same when it has
ended; this does it after a promote or a rollback, or where a mirror was down. It takes the
mirrors from the plan, not from the store: whoever can write a store must not choose where
secrets are sent. Where the config has model_keys, a release that none of them signed is not
shown. It ends with code 4 if a mirror stays behind, and says why.

With --forget the argument is a model's name, and no plan is read: the store forgets what it
knows of a mirror that no plan lists any more, which the list of models would call behind for
ever. What the mirror shows stays there; a plan that lists it shows it the model again.`,
		Example: "  sprint models mirror plan.yaml\n  sprint models mirror -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if len(urls) > 0 {
				if len(args) == 0 || cmd.Flags().Changed("set") || cmd.Flags().Changed("values") {
					return &diagnostic.UsageError{Message: "--forget takes the name of a model, and no options of a plan", Hint: "sprint models mirror NAME --forget URL"}
				}
				return a.OnStore(func(ctx context.Context, store *storage.Store, args []string) error {
					return forget(ctx, a, store, args[0], urls)
				})(cmd, args)
			}
			c, err := a.CompileOnStore(ctx, cmd, app.PlanArg(args), &f)
			if err != nil {
				return app.Interrupted(ctx, err)
			}
			defer c.Close(a.Log())
			if c.Config.Offline {
				return &diagnostic.UsageError{Message: "mirrors are not asked offline", Hint: "leave out --offline"}
			}
			return pushMirrors(ctx, a, c)
		},
	}
	f.Add(cmd)
	cmd.Flags().StringArrayVar(&urls, "forget", nil, "forget this mirror of the model that the argument names (repeatable)")
	a.JSONFlag(cmd, "one JSON object per mirror")
	return cmd
}

// pushMirrors brings all mirrors of a plan up to date, and shows what came of each.
func pushMirrors(ctx context.Context, a *app.App, c *app.Compiled) error {
	all, err := a.PushMirrors(ctx, c, func(string) bool { return true })
	if err != nil {
		return app.Interrupted(ctx, err)
	}
	if len(all) == 0 {
		return &diagnostic.UsageError{Message: "no publish stage of the plan lists a mirror", Hint: "add `mirror: [{to: oci://HOST/REPOSITORY}]` to its options"}
	}
	behind := 0
	for _, m := range all {
		if m.Error != "" {
			behind++
		}
		if a.AsJSON {
			if err := json.NewEncoder(a.Stdout).Encode(m); err != nil {
				return err
			}
		} else {
			fmt.Fprintln(a.Stdout, m)
		}
	}
	if behind > 0 {
		return stages.Fail(stages.CodeEnvironment, "the same command, or the next run of the plan, tries again", "mirrors that are behind: %d of %d", behind, len(all))
	}
	return nil
}
