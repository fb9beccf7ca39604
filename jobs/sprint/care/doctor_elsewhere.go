package care

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/places"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/executor/trial"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/sprint/app"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/stages"
)

// elsewhere tries an executor of the config by its name: the place is asked, then a job
// runs there which looks at its device, the store, the clock, the disk and the encoder.
// With a plan it is one job for each set of demands of its stages.
func (d *doctor) elsewhere(ctx context.Context, name string, install bool) error {
	s, err := d.a.OpenStore(ctx, d.cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	var g *graph.Graph
	if d.plan != nil {
		g = d.plan.Graph
	}
	all, e, demands, err := places.Open(places.Options{
		Config: d.cfg, Store: s, Environ: d.a.Env, Log: d.a.Log(), Program: program, WorkerFlags: app.WorkerFlags(d.cfg),
	}, name, g)
	if err != nil {
		return err
	}
	defer func() {
		if err := all.Close(); err != nil {
			d.a.Log().Debug("a connection did not end", "error", err)
		}
	}()
	flags := d.trialFlags(install)
	for _, demand := range demands {
		if err := d.there(ctx, e, demand, flags); err != nil {
			return err
		}
	}
	if d.bad == 0 {
		d.line(true, name, "takes jobs", "")
	}
	return nil
}

// there tries an executor with one set of demands.
func (d *doctor) there(ctx context.Context, e *remote.Executor, demand executor.Resources, flags []string) error {
	err := e.Probe(ctx, demand, func(what, text string) {
		if strings.HasPrefix(text, "takes no jobs") { // one of several hosts
			d.hint(what, text, "")
			return
		}
		d.line(true, what, text, "")
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		d.line(false, e.Name, err.Error(), executor.Hint(err))
		return nil
	}
	limits := e.TrialLimits()
	d.line(true, "job", fmt.Sprintf("submitted; limits: queue %s, start %s, run %s", executor.Span(limits.Queue), executor.Span(limits.Start), executor.Span(limits.Run)), "")
	err = e.Try(ctx, remote.Trial{Resources: demand, Flags: flags, Note: func(f trial.Finding) {
		mark := map[trial.State]string{trial.OK: "ok  ", trial.Bad: "BAD "}[f.State]
		if f.State == trial.Bad {
			d.bad++
		}
		if mark == "" {
			mark = "--  "
		}
		d.print(mark, f.What, f.Text, f.Fix)
	}})
	if err != nil && ctx.Err() == nil {
		return stages.Fail(executor.Code(err), executor.Hint(err), "%s cannot be tried: %w", e.Name, err)
	}
	return err
}

// trialFlags are what a trial's worker is told: the encoders of the plan, or those that are
// known.
func (d *doctor) trialFlags(install bool) (flags []string) {
	refs := encoder.Known()
	if d.plan != nil {
		refs = nil
		for _, node := range d.plan.Graph.Nodes {
			// As it was resolved here: with its revision, if a hub has it.
			pinned, _ := node.External["encoder"].(map[string]any)
			ref, _ := pinned["name"].(string)
			if revision, _ := pinned["revision"].(string); strings.Contains(ref, "/") && revision != "" {
				ref += "@" + revision
			}
			if ref != "" && encoder.Check(ref) == nil && !slices.Contains(refs, ref) { // a folder is of this machine
				refs = append(refs, ref)
			}
		}
	}
	for _, ref := range refs {
		flags = append(flags, "--encoder", ref)
	}
	if install {
		flags = append(flags, "--install")
	}
	return flags
}
