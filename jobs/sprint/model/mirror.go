package model

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages"
)

func mirrorCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	cmd := &cobra.Command{
		Use: "mirror [PLAN]", Short: "Bring the mirrors of a plan's models up to date", Args: cobra.MaximumNArgs(1),
		Long: `Bring the mirrors of the models that a plan publishes up to date: what its publish
stages list under mirror. Each shows every release that an alias names, under its version,
and the aliases as they are in the store; a command is told of each alias that names another
release than it was told. A run of the plan does the same when it has
ended; this does it after a promote or a rollback, or where a mirror was down. It takes the
mirrors from the plan, not from the store: whoever can write a store must not choose where
secrets are sent. Where the config has model_keys, a release that none of them signed is not
shown. It ends with code 4 if a mirror stays behind, and says why.`,
		Example: "  sprint models mirror plan.yaml\n  sprint models mirror -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			c, err := a.CompileOnStore(ctx, cmd, app.PlanArg(args), &f)
			if err != nil {
				return app.Interrupted(ctx, err)
			}
			defer c.Close(a.Log())
			if c.Config.Offline {
				return &diagnostic.UsageError{Message: "mirrors are not asked offline", Hint: "leave out --offline"}
			}
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
		},
	}
	f.Add(cmd)
	a.JSONFlag(cmd, "one JSON object per mirror")
	return cmd
}

// showBehind says which mirrors do not show what the store has, and how that is mended.
func showBehind(a *app.App, list []catalog.Model) {
	type place struct{ model, target string }
	var order []place
	words, last := map[place][]string{}, map[place]string{}
	for _, m := range list {
		for _, there := range m.Mirrors {
			at := place{m.Name, there.Target}
			if len(there.Behind) == 0 {
				continue
			}
			if words[at] == nil {
				order = append(order, at)
			}
			words[at] = append(words[at], there.Behind...)
			last[at] = mirror.State{Tries: there.Tries, Error: there.Error}.LastError()
		}
	}
	for _, at := range order {
		fmt.Fprintf(a.Stdout, "mirror %s of %s is behind: %s", at.target, at.model, strings.Join(words[at], ", "))
		if last[at] != "" {
			fmt.Fprintf(a.Stdout, "; the last try: %s", last[at])
		}
		fmt.Fprintln(a.Stdout)
	}
	if len(order) > 0 {
		fmt.Fprintln(a.Stdout, "the next run of the plan that lists a mirror brings it up to date, or `sprint models mirror PLAN`")
	}
}
