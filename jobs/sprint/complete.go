package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/catalog"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/stages/all"
	"github.com/sprint-ml/sprint/storage"
)

// A completer answers the Tab key: with words of the plan and the store that the line
// names so far. What cannot be found out completes nothing.
type completer struct{ a *app.App }

// words are what may stand at a place; each may have a tab and a description behind it.
type words func(ctx context.Context, cmd *cobra.Command, args []string) []string

const (
	completionTime = 2 * time.Second // that a store may take
	completionRuns = 30              // runs that are offered
)

// add gives the commands their completions.
func (c completer) add(root *cobra.Command) {
	nth := func(places ...words) words { // by argument; the last goes on
		return func(ctx context.Context, cmd *cobra.Command, args []string) []string {
			if len(args) >= len(places) {
				return nil
			}
			return places[len(args)](ctx, cmd, args)
		}
	}
	for path, of := range map[string]words{
		"status": nth(c.runs), "retry": nth(c.runs), "report": nth(c.runs), "cancel": nth(c.runs), "runs pin": nth(c.runs), "runs unpin": nth(c.runs),
		"diff": nth(c.runs, c.runs), "logs": nth(c.runsAndStages, c.stages), "explain": nth(c.stages),
		"artifacts ls": nth(c.runsAndArtifacts), "artifacts verify": nth(c.runsAndArtifacts), "artifacts get": nth(c.artifacts), "artifacts cat": nth(c.artifacts), "trace": nth(c.artifacts),
		"models": nth(c.models), "promote": nth(c.releases), "rollback": nth(c.modelNames), "models history": nth(c.modelNames), "models verify": nth(c.models),
	} {
		if cmd, _, err := root.Find(strings.Fields(path)); err == nil && cmd.CommandPath() == "sprint "+path {
			cmd.ValidArgsFunction = c.answer(of)
			if path == "explain" || path == "artifacts get" { // a plan, or a place, follows
				cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
					if len(args) == 1 {
						return nil, cobra.ShellCompDirectiveDefault
					}
					return c.answer(of)(cmd, args, begun)
				}
			}
		}
	}
	flags := map[string]words{
		"only": c.stages, "from": c.stages, "until": c.stages, "force": c.stages, "stage": c.stages, "set": c.setPaths,
		"model": c.models, "alias": c.aliases, "to": c.versions, "kind": fixed(all.All().Names()...), "plan": c.planNames,
		"device": fixed("auto", "cpu", "cuda", "go"), "format": fixed("jsonl", "csv", "parquet", "text"),
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			of := flags[f.Name]
			if f.Name == "executor" {
				_ = cmd.RegisterFlagCompletionFunc(f.Name, c.executors)
			}
			if f.Shorthand == "o" {
				of = outputs(f)
			}
			if f.Name == "kind" && cmd.Name() != "schema" || f.Name == "plan" && cmd.Name() != "runs" || f.Name == "format" && cmd.Name() != "classify" && f.Shorthand != "o" {
				of = nil
			}
			if f.Name == "from" && cmd.Flags().Lookup("alias") != nil {
				of = c.versions
			}
			if of != nil {
				_ = cmd.RegisterFlagCompletionFunc(f.Name, c.answer(of)) // it fails for a flag that has one
			}
		})
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// outputs are the words of -o, as its usage lists them.
func outputs(f *pflag.Flag) words {
	var known []string
	for _, w := range []string{"auto", "tty", "plain", "json", "github", "html", "md", "table"} {
		if strings.Contains(f.Usage, w+",") || strings.Contains(f.Usage, w+":") || strings.Contains(f.Usage, w+" or") || strings.Contains(f.Usage, "or "+w) || strings.HasSuffix(f.Usage, w) {
			known = append(known, w)
		}
	}
	return fixed(known...)
}

func fixed(list ...string) words {
	return func(context.Context, *cobra.Command, []string) []string { return list }
}

// answer is what cobra asks.
func (c completer) answer(of words) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		c.a.Quiet = true
		ctx, stop := context.WithTimeout(context.WithoutCancel(contextOf(cmd)), completionTime)
		defer stop()
		var out []string
		directive := cobra.ShellCompDirectiveNoFileComp
		for _, w := range of(ctx, cmd, args) {
			if strings.HasPrefix(w, begun) {
				out = append(out, w)
				if word, _, _ := strings.Cut(w, "\t"); strings.HasSuffix(word, "=") {
					directive |= cobra.ShellCompDirectiveNoSpace
				}
			}
		}
		return out, directive
	}
}

func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// plan is the plan of the line: of its arguments the one that is a file of yaml, else
// plan.yaml.
func (c completer) plan(args []string) *config.Plan {
	path := "plan.yaml"
	for _, arg := range args {
		if strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, ".yml") || strings.Contains(arg, "/") {
			path = app.PlanArg([]string{arg})
		}
	}
	plan, err := config.LoadPlan(path)
	if err != nil && plan == nil {
		return nil
	}
	return plan
}

func (c completer) stages(_ context.Context, _ *cobra.Command, args []string) []string {
	var out []string
	if plan := c.plan(args); plan != nil {
		for _, s := range plan.Stages {
			out = append(out, s.Name+"\t"+s.Kind)
		}
	}
	return out
}

// executors are where stages may go: an executor of the config, or, of commands that take
// a list, STAGE=NAME after each comma.
func (c completer) executors(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	cfg, _, err := c.a.LoadConfig(cmd, "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, name := range cfg.ExecutorNames() {
		kind, _ := cfg.Executors[name]["kind"].(string)
		names = append(names, name+"\t"+kind)
	}
	if cmd.Flags().Lookup("only") == nil { // it sends no stages
		return c.answer(fixed(names...))(cmd, args, begun)
	}
	names = append(names, "auto", "local")
	done := begun[:strings.LastIndexByte(begun, ',')+1]
	var words []string
	if stage, _, one := strings.Cut(begun[len(done):], "="); one {
		for _, name := range names {
			words = append(words, done+stage+"="+name)
		}
		return c.answer(fixed(words...))(cmd, args, begun)
	}
	for _, name := range names {
		words = append(words, done+name)
	}
	for _, s := range c.stages(cmd.Context(), cmd, args) {
		name, kind, _ := strings.Cut(s, "\t")
		words = append(words, done+name+"=\t"+kind)
	}
	return c.answer(fixed(words...))(cmd, args, begun)
}

// setPaths are the options of the plan's stages, up to the sign before a value.
func (c completer) setPaths(_ context.Context, _ *cobra.Command, args []string) []string {
	var out []string
	plan := c.plan(args)
	if plan == nil {
		return nil
	}
	for _, s := range plan.Stages {
		if k, ok := all.All().Kind(s.Kind); ok {
			for _, f := range options.Reference(k.Options()) {
				out = append(out, fmt.Sprintf("%s.%s=\t%s", s.Name, f.Path, f.Doc))
			}
		}
	}
	return out
}

// store opens the store of the line; nil if there is none.
func (c completer) store(ctx context.Context, cmd *cobra.Command) *storage.Store {
	cfg, _, err := c.a.LoadConfig(cmd, "")
	if err != nil {
		return nil
	}
	s, err := c.a.ReadStore(ctx, cfg)
	if err != nil {
		return nil
	}
	return s
}

func (c completer) listRuns(ctx context.Context, cmd *cobra.Command) []catalog.Run {
	s := c.store(ctx, cmd)
	if s == nil {
		return nil
	}
	defer s.Close()
	ids, err := runs.List(ctx, s, completionRuns)
	if err != nil {
		return nil
	}
	list, err := catalog.Load(ctx, s, ids, runs.LoadBrief)
	if err != nil {
		return nil
	}
	return list
}

func (c completer) runs(ctx context.Context, cmd *cobra.Command, _ []string) []string {
	var out []string
	for _, r := range c.listRuns(ctx, cmd) {
		out = append(out, fmt.Sprintf("%s\t%s: %s", r.Run, r.Plan, r.Status))
	}
	return out
}

func (c completer) planNames(ctx context.Context, cmd *cobra.Command, _ []string) []string {
	names := map[string]bool{}
	for _, r := range c.listRuns(ctx, cmd) {
		names[r.Plan] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func (c completer) runsAndStages(ctx context.Context, cmd *cobra.Command, args []string) []string {
	return append(c.stages(ctx, cmd, args), c.runs(ctx, cmd, args)...)
}

// artifacts are the outputs of the newest run that has any, and releases.
func (c completer) artifacts(ctx context.Context, cmd *cobra.Command, args []string) []string {
	var out []string
	if s := c.store(ctx, cmd); s != nil {
		defer s.Close()
		if _, found, err := catalog.Outputs(ctx, s, ""); err == nil {
			for _, f := range found {
				out = append(out, fmt.Sprintf("%s.%s\t%s", f.Stage, f.Name, app.Size(f.Size)))
			}
		}
	}
	return append(out, c.models(ctx, cmd, args)...)
}

func (c completer) runsAndArtifacts(ctx context.Context, cmd *cobra.Command, args []string) []string {
	return append(c.artifacts(ctx, cmd, args), c.runs(ctx, cmd, args)...)
}

// published are the releases of a model, of all for the empty name.
func (c completer) published(ctx context.Context, cmd *cobra.Command, name string) []catalog.Model {
	s := c.store(ctx, cmd)
	if s == nil {
		return nil
	}
	defer s.Close()
	list, err := catalog.Models(ctx, s, name)
	if err != nil {
		return nil
	}
	return list
}

func (c completer) modelNames(ctx context.Context, cmd *cobra.Command, _ []string) []string {
	names := map[string]bool{}
	for _, m := range c.published(ctx, cmd, "") {
		names[m.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// models are names, versions and aliases as --model takes them.
func (c completer) models(ctx context.Context, cmd *cobra.Command, _ []string) []string {
	names, refs := map[string]bool{}, []string{}
	for _, m := range c.published(ctx, cmd, "") {
		names[m.Name] = true
		refs = append(refs, fmt.Sprintf("%s@%d\t%s", m.Name, m.Version, strings.Join(m.Aliases, ", ")))
		for _, alias := range m.Aliases {
			refs = append(refs, fmt.Sprintf("%s@%s\tversion %d", m.Name, alias, m.Version))
		}
	}
	return append(slices.Sorted(maps.Keys(names)), refs...)
}

// releases are the versions of all models, as promote takes them.
func (c completer) releases(ctx context.Context, cmd *cobra.Command, _ []string) []string {
	var out []string
	for _, m := range c.published(ctx, cmd, "") {
		out = append(out, fmt.Sprintf("%s@%d\t%s", m.Name, m.Version, strings.Join(m.Aliases, ", ")))
	}
	return out
}

// modelOf is the name of the model that the line names.
func modelOf(args []string) string {
	name, _, _ := strings.Cut(strings.Join(args[:min(len(args), 1)], ""), "@")
	return name
}

func (c completer) versions(ctx context.Context, cmd *cobra.Command, args []string) []string {
	var out []string
	for _, m := range c.published(ctx, cmd, modelOf(args)) {
		out = append(out, fmt.Sprintf("%d\t%s", m.Version, strings.Join(m.Aliases, ", ")))
	}
	return out
}

func (c completer) aliases(ctx context.Context, cmd *cobra.Command, args []string) []string {
	known := map[string]bool{"latest": true, "champion": true}
	for _, m := range c.published(ctx, cmd, modelOf(args)) {
		for _, alias := range m.Aliases {
			known[alias] = true
		}
	}
	return slices.Sorted(maps.Keys(known))
}
