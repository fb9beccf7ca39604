package start

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/jobs/wrapper"
)

func renderCommand(a *app.App) *cobra.Command {
	var f app.PlanFlags
	var service string
	var o wrapper.Options
	cmd := &cobra.Command{
		Use: "render [PLAN] --for SERVICE", Short: "Write the file by which GitHub, GitLab, dstack or Colab runs a plan", Args: cobra.MaximumNArgs(1),
		Long: `Write to standard output the file by which another service runs a plan: a workflow of
GitHub, a pipeline of GitLab, a task of dstack, or a notebook for Colab. It fetches a
release of sprint, checks its digest, and runs the plan on the store, which must be one
that outlives the machine. Secrets are named, never written: those of the store, and the
variables that the plan's own references (env:NAME) read. Run it at the root of the
repository that holds the plan.`,
		Example: "  sprint render plan.yaml --for github --store gs://news/sprint --release v0.1.0 > news.yml\n  sprint render --for colab --store gs://news/sprint --release v0.1.0 --repo https://github.com/owner/news > news.ipynb",
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := describe(a, cmd, args, &f, &o); err != nil {
				return err
			}
			data, err := wrapper.File(service, o)
			if err != nil {
				return err
			}
			_, err = a.Data().Write(data)
			return err
		},
	}
	f.Add(cmd)
	cmd.Flags().StringVar(&service, "for", "", "service: "+strings.Join(wrapper.Names(), ", "))
	cmd.Flags().StringVar(&o.Release, "release", "", "version of sprint that is fetched there; this one's by default")
	cmd.Flags().StringVar(&o.Repo, "repo", "", "where colab clones the plan and its files from")
	cmd.Flags().IntVar(&o.Minutes, "minutes", 60, "time for all, after which the service ends it; the run checkpoints and ends 10 minutes before")
	_ = cmd.MarkFlagRequired("for")
	return cmd
}

// describe says of a plan what services must know of it, and compiles it.
func describe(a *app.App, cmd *cobra.Command, args []string, f *app.PlanFlags, o *wrapper.Options) (*graph.Graph, error) {
	c, err := a.Compile(cmd.Context(), cmd, app.PlanArg(args), f, false)
	if err != nil {
		return nil, err
	}
	defer c.Close(a.Log())
	o.Overrides = f.Words()
	o.Plan, o.Name, o.Store, o.Device = filepath.ToSlash(filepath.Clean(app.PlanArg(args))), c.Plan.Name, c.Config.Store, "cpu"
	if strings.HasPrefix(o.Plan, "-") && o.Plan != "-" {
		o.Plan = "./" + o.Plan // as it was typed, or it would be an option
	}
	if o.Release == "" {
		o.Release = app.Version()
	}
	for _, node := range c.Graph.Nodes {
		o.Secrets = append(o.Secrets, references(node.Decoded.All)...)
		if o.Device != "cuda" && node.Kind.Name == "train" || node.Device == "cuda" {
			o.Device = node.Device
		}
	}
	return c.Graph, nil
}

// references are the variables that options read secrets from, env:NAME.
func references(v any) []string {
	var out []string
	switch x := v.(type) {
	case string:
		if name, ok := strings.CutPrefix(x, "env:"); ok && name != "" {
			out = append(out, name)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			out = append(out, references(x[k])...)
		}
	case []any:
		for _, e := range x {
			out = append(out, references(e)...)
		}
	}
	return out
}
