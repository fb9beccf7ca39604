package care

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
)

func configCommand(a *app.App) *cobra.Command {
	var origin bool
	var f app.PlanFlags
	cmd := &cobra.Command{
		Use: "config [PLAN]", Short: "Print the config, and with a plan its options", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := ""
			if len(args) > 0 {
				plan, err := a.LoadPlan(app.PlanArg(args))
				if err != nil {
					return err
				}
				dir = plan.Dir()
			}
			c, origins, err := a.LoadConfig(cmd, dir)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
			line := func(name string, value any, o options.Origin) {
				if origin {
					where := o.From
					if o.Pos.File != "" {
						where += "\t" + o.Pos.String()
					}
					fmt.Fprintf(w, "%s\t%v\t%s\n", name, value, where)
					return
				}
				fmt.Fprintf(w, "%s\t%v\n", name, value)
			}
			for _, x := range []struct {
				name  string
				value any
			}{{"store", storage.Redact(c.Store)}, {"store_key", c.StoreKey}, {"store_keys_accepted", c.StoreKeysAccepted}, {"executor", c.Executor}, {"device", c.Device}, {"output", c.Output}, {"cache", c.Cache}, {"parallel", c.Parallel}, {"keep_going", c.KeepGoing}, {"deadline", c.Deadline}, {"offline", c.Offline}, {"endpoints", c.Endpoints}} {
				line(x.name, x.value, origins[x.name])
			}
			if len(args) > 0 {
				compiled, err := a.Compile(cmd.Context(), cmd, app.PlanArg(args), &f, false)
				if err != nil {
					return err
				}
				for _, t := range compiled.Graph.Nodes {
					for _, p := range slices.Sorted(maps.Keys(t.Decoded.Origin)) {
						if v := at(t.Decoded.All, p); v != nil {
							if _, isMap := v.(map[string]any); !isMap {
								b, err := json.Marshal(v)
								if err != nil {
									return err
								}
								line(t.Name+"."+p, string(b), t.Decoded.Origin[p])
							}
						}
					}
				}
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "show where each value comes from")
	f.Add(cmd)
	return cmd
}

// at finds a value of a tree by its dotted path.
func at(tree any, path string) any {
	for part := range strings.SplitSeq(path, ".") {
		m, ok := tree.(map[string]any)
		if !ok {
			return nil
		}
		tree = m[part]
	}
	return tree
}
