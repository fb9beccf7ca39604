// Package jobs turns a plan into a graph of tasks, decides which of them have
// been done already, and runs the others. Describing (config), compiling
// (compile.go), evaluating (evaluate.go), walking (walk.go) and executing
// (an executor) stand apart, and each uses only the one before.
package jobs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/stages"
)

// Graph is a compiled plan: tasks in an order in which each comes after all
// that it needs, ties in the order of the plan.
type Graph struct {
	Plan  *config.Plan
	Tasks []*Task

	byName   map[string]*Task
	taxonomy stages.Source
	files    map[string]stages.FileInfo // external files by path
}

// Task is one stage of a graph, decoded and wired.
type Task struct {
	Name    string
	Index   int // place in the plan
	Kind    stages.Kind
	Needs   []string
	Inputs  []Ref
	Outputs []stages.Output
	Options any // the kind's struct, decoded
	Decoded options.Decoded
	// External is what the options resolved outside the store.
	External stages.External
	Device   string
	Stage    *config.Stage
}

// Ref says which task makes an input.
type Ref struct {
	Name string // of the artifact
	From string // of the task; empty for an optional input that nothing makes
}

// Taxonomy is the plan's taxonomy file; empty if it names none.
func (g *Graph) Taxonomy() stages.Source { return g.taxonomy }

// Task returns the task of that name.
func (g *Graph) Task(name string) (*Task, bool) {
	t, ok := g.byName[name]
	return t, ok
}

// Names lists the tasks in the plan's order.
func (g *Graph) Names() []string {
	names := make([]string, len(g.Tasks))
	for _, t := range g.Tasks {
		names[t.Index] = t.Name
	}
	return names
}

// Downstream returns the tasks that need name, directly or not, and itself.
func (g *Graph) Downstream(name string) map[string]bool {
	set := map[string]bool{name: true}
	for _, t := range g.Tasks {
		for _, n := range t.Needs {
			if set[n] {
				set[t.Name] = true
			}
		}
	}
	return set
}

// Upstream returns the tasks that name needs, directly or not, and itself.
func (g *Graph) Upstream(name string) map[string]bool {
	set := map[string]bool{name: true}
	for _, t := range slices.Backward(g.Tasks) {
		if set[t.Name] {
			for _, n := range t.Needs {
				set[n] = true
			}
		}
	}
	return set
}

// String renders the graph for people and golden files: nodes, then edges.
func (g *Graph) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plan %s\n", g.Plan.Name)
	for _, t := range g.Tasks {
		fmt.Fprintf(&b, "\n%s (%s v%d)\n", t.Name, t.Kind.Name, t.Kind.Version)
		if len(t.Needs) > 0 {
			fmt.Fprintf(&b, "  needs   %s\n", strings.Join(t.Needs, ", "))
		}
		for _, r := range t.Inputs {
			from := r.From
			if from == "" {
				from = "(nothing)"
			}
			fmt.Fprintf(&b, "  reads   %s from %s\n", r.Name, from)
		}
		for _, o := range t.Outputs {
			kind := ""
			if o.Volatile {
				kind = " (volatile)"
			}
			fmt.Fprintf(&b, "  makes   %s%s\n", o.Name, kind)
		}
		for _, k := range slices.Sorted(maps.Keys(t.Decoded.Keyed)) {
			if v := t.Decoded.Keyed[k]; v != nil {
				text, err := key.AppendCanonical(nil, v)
				if err != nil {
					text = []byte(err.Error())
				}
				fmt.Fprintf(&b, "  option  %s = %s\n", k, text)
			}
		}
	}
	return b.String()
}

// DOT renders the graph for Graphviz.
func (g *Graph) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %q {\n  rankdir=LR;\n  node [shape=box];\n", g.Plan.Name)
	for _, t := range g.Tasks {
		fmt.Fprintf(&b, "  %q [label=%q];\n", t.Name, t.Name+"\n"+t.Kind.Name)
	}
	for _, t := range g.Tasks {
		labels := map[string][]string{}
		for _, r := range t.Inputs {
			if r.From != "" {
				labels[r.From] = append(labels[r.From], r.Name)
			}
		}
		for _, n := range t.Needs {
			if _, ok := labels[n]; !ok {
				labels[n] = nil
			}
		}
		for _, f := range slices.Sorted(maps.Keys(labels)) {
			fmt.Fprintf(&b, "  %q -> %q [label=%q];\n", f, t.Name, strings.Join(labels[f], ", "))
		}
	}
	b.WriteString("}\n")
	return b.String()
}
