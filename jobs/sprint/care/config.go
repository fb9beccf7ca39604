package care

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/progress/table"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/storage"
)

func configCommand(a *app.App) *cobra.Command {
	var origin bool
	var f app.PlanFlags
	cmd := &cobra.Command{
		Use: "config [PLAN]", Short: "Print the config, and with a plan its options", Args: cobra.MaximumNArgs(1),
		Long: `Print the config, and with a plan the options of its stages. --origin shows where
each value comes from. A list of several maps has a line for each of them.`,
		Example: "  sprint config\n  sprint config plan.yaml --origin\n  sprint config plan.yaml -o json",
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
			list := settingsOf(c, origins)
			if len(args) > 0 {
				compiled, err := a.Compile(cmd.Context(), cmd, app.PlanArg(args), &f, false)
				if err != nil {
					return err
				}
				for _, node := range compiled.Graph.Nodes {
					list = append(list, optionsOf(node)...)
				}
			}
			if a.AsJSON {
				return app.WriteLines(a.Stdout, list)
			}
			return showSettings(a, list, origin)
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "show where each value comes from")
	a.JSONFlag(cmd, "one JSON object per value, with where it comes from")
	f.Add(cmd)
	return cmd
}

// setting is a value of the config or an option of a stage.
type setting struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
	From  string `json:"from"`         // default, plan, file, env, flag, set ...
	At    string `json:"at,omitempty"` // file, line and column; the flag or variable
}

func newSetting(name string, value any, o options.Origin) setting {
	s := setting{Name: name, Value: value, From: o.From}
	if o.Pos.File != "" {
		s.At = o.Pos.String()
	}
	return s
}

// settingsOf lists the config.
func settingsOf(c *config.Config, origins map[string]options.Origin) []setting {
	var out []setting
	for _, x := range []struct {
		name  string
		value any
	}{
		{"store", storage.Redact(c.Store)}, {"store_key", c.StoreKey}, {"store_keys_accepted", c.StoreKeysAccepted}, {"model_keys", c.ModelKeys}, {"model_keys_revoked", c.ModelKeysRevoked}, {"executor", c.Executor}, {"device", c.Device}, {"output", c.Output},
		{"cache", c.Cache}, {"parallel", c.Parallel}, {"keep_going", c.KeepGoing}, {"deadline", c.Deadline.String()}, {"max_cost", maxCost(c)}, {"offline", c.Offline}, {"endpoints", c.Endpoints}, {"executors", c.ExecutorNames()},
	} {
		out = append(out, newSetting(x.name, x.value, origins[x.name]))
	}
	return out
}

// maxCost is the limit as the config writes it, empty if there is none.
func maxCost(c *config.Config) string {
	text, _ := c.MaxCost.MarshalText() // it cannot fail
	return string(text)
}

// optionsOf lists the options of a stage.
func optionsOf(node *graph.Node) []setting {
	var out []setting
	for _, p := range slices.Sorted(maps.Keys(node.Decoded.Origin)) {
		v := at(node.Decoded.All, p)
		if _, isMap := v.(map[string]any); v != nil && !isMap {
			out = append(out, newSetting(node.Name+"."+p, v, node.Decoded.Origin[p]))
		}
	}
	return out
}

func showSettings(a *app.App, list []setting, origin bool) error {
	columns := []table.Column{{Name: "NAME"}, {Name: "VALUE", Cut: true}}
	if origin {
		columns = append(columns, table.Column{Name: "FROM"}, table.Column{Name: "AT", Cut: true})
	}
	t := a.Table(columns...)
	for _, s := range list {
		items, isList := s.Value.([]any)
		if !isList || len(items) < 2 || !slices.ContainsFunc(items, isMap) {
			t.Row(s.Name, inWords(s.Value), s.From, s.At)
			continue
		}
		for i, item := range items {
			t.Row(fmt.Sprintf("%s.%d", s.Name, i+1), inWords(item), s.From, s.At)
		}
	}
	return t.Write(a.Stdout)
}

func isMap(v any) bool {
	_, ok := v.(map[string]any)
	return ok
}

// inWords writes a value in a line: texts as they are, what is empty as nothing.
func inWords(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []string:
		return strings.Join(v, ", ")
	case map[string]string:
		if len(v) == 0 {
			return ""
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
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
