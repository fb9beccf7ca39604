package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/all"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

func (a *app) validateCommand() *cobra.Command {
	var f planFlags
	var strict bool
	cmd := &cobra.Command{
		Use: "validate [PLAN]", Short: "Check a plan and its taxonomy; all mistakes at once", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compile(cmd.Context(), cmd, planArg(args), &f, false)
			if err != nil {
				return err
			}
			if err := checkTaxonomy(c.graph); err != nil {
				return err
			}
			if warnings := taxonomyWarnings(c.graph); len(warnings) > 0 && strict {
				return warnings
			} else {
				a.warn(warnings)
			}
			fmt.Fprintf(a.stdout, "%s is valid: %d stages\n", c.plan.File, len(c.graph.Nodes))
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings about the taxonomy are mistakes")
	return cmd
}

func (a *app) planCommand() *cobra.Command {
	var f planFlags
	var exitCode bool
	cmd := &cobra.Command{
		Use: "plan [PLAN]", Short: "Say what run would do, and why", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			c, err := a.compileOnStore(ctx, cmd, planArg(args), &f)
			if err != nil {
				return err
			}
			defer c.close(a.log())
			e, err := evaluate.Evaluator{Store: c.store}.Evaluate(ctx, c.graph)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "STAGE\tWOULD\tWHY")
			for _, name := range c.graph.Names() {
				v := e.Decisions[name]
				fmt.Fprintf(w, "%s\t%s\t%s\n", name, would(v), v.Reason)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if exitCode && e.Work() > 0 {
				return &exitError{stages.CodePending}
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with 6 if there is work")
	return cmd
}

func would(v *evaluate.Decision) string {
	switch {
	case v.State == runs.Cached:
		return "be cached"
	case v.State == runs.Failed:
		return "fail as before"
	case v.Resumable:
		return "continue"
	}
	return "run"
}

func (a *app) graphCommand() *cobra.Command {
	var f planFlags
	var dot bool
	cmd := &cobra.Command{
		Use: "graph [PLAN]", Short: "Show the compiled graph of a plan", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compile(cmd.Context(), cmd, planArg(args), &f, false)
			if err != nil {
				return err
			}
			if dot {
				fmt.Fprint(a.stdout, c.graph.DOT())
			} else {
				fmt.Fprint(a.stdout, c.graph)
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&dot, "dot", false, "as Graphviz DOT")
	return cmd
}

// storeOf opens the configured store for commands without a plan.
func (a *app) storeOf(cmd *cobra.Command) (*storage.Store, error) {
	cfg, _, err := a.loadConfig(cmd, "")
	if err != nil {
		return nil, err
	}
	return a.openStore(cmd.Context(), cfg)
}

func (a *app) schemaCommand() *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of plans, or the options of a kind", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			registry := all.All()
			if kind != "" {
				return a.reference(registry, kind)
			}
			var kinds []config.KindSchema
			for _, k := range registry {
				kinds = append(kinds, config.KindSchema{Name: k.Name, Doc: k.Doc, Options: k.Options()})
			}
			b, err := config.Schema(kinds)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s\n", b)
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "print the reference page of this kind instead")
	return cmd
}

func (a *app) reference(registry stages.Registry, kind string) error {
	k, ok := registry.Kind(kind)
	if !ok {
		return &config.UsageError{Message: fmt.Sprintf("no kind of stage is called %q", kind), Hint: diagnostic.Suggest(kind, registry.Names())}
	}
	fmt.Fprintf(a.stdout, "%s (version %d)\n\n%s\n\nExample:\n", k.Name, k.Version, k.Doc)
	for line := range strings.SplitSeq(strings.TrimRight(k.Example, "\n"), "\n") {
		fmt.Fprintf(a.stdout, "  %s\n", line)
	}
	fmt.Fprintln(a.stdout, "\nOptions:")
	w := tabwriter.NewWriter(a.stdout, 2, 0, 2, ' ', 0)
	for _, f := range options.Reference(k.Options()) {
		detail := f.Type
		if f.Allowed != "" {
			detail += ": " + f.Allowed
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", f.Path, f.Default, detail, f.Doc)
	}
	return w.Flush()
}

func (a *app) configCommand() *cobra.Command {
	var origin bool
	var f planFlags
	cmd := &cobra.Command{
		Use: "config [PLAN]", Short: "Print the config, and with a plan its options", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := ""
			if len(args) > 0 {
				plan, err := config.LoadPlan(planArg(args))
				if err != nil {
					return err
				}
				dir = plan.Dir()
			}
			c, origins, err := a.loadConfig(cmd, dir)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
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
			}{{"store", storage.Redact(c.Store)}, {"executor", c.Executor}, {"device", c.Device}, {"output", c.Output}, {"cache", c.Cache}, {"parallel", c.Parallel}, {"keep_going", c.KeepGoing}, {"deadline", c.Deadline}, {"offline", c.Offline}, {"endpoints", c.Endpoints}} {
				line(x.name, x.value, origins[x.name])
			}
			if len(args) > 0 {
				compiled, err := a.compile(cmd.Context(), cmd, planArg(args), &f, false)
				if err != nil {
					return err
				}
				for _, t := range compiled.graph.Nodes {
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
	f.add(cmd)
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

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.stdout, "sprint %s\n", version())
			for _, k := range all.All() {
				fmt.Fprintf(a.stdout, "  %-8s v%d\n", k.Name, k.Version)
			}
			return nil
		},
	}
}

func (a *app) promoteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "promote NAME VERSION ALIAS", Short: "Move an alias of a model to a version", Args: cobra.ExactArgs(3),
		Example: "  sprint promote quickstart 2 champion",
		RunE: a.onStore(func(ctx context.Context, store *storage.Store, args []string) error {
			r, err := models.In(store).Release(ctx, args[0], args[1])
			if errors.Is(err, storage.ErrNotFound) || err != nil && !errors.As(err, new(*storage.Error)) {
				return &config.UsageError{Message: fmt.Sprintf("the store has no release %s@%s: %v", args[0], args[1], err)}
			}
			if err != nil {
				return err
			}
			if err := models.In(store).SetAlias(ctx, args[0], args[2], r.Version); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s@%s is now version %d\n", args[0], args[2], r.Version)
			return nil
		}),
	}
}
