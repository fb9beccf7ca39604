// Package jobs turns a plan into a graph of tasks, decides which of them have
// been done already, and runs the others. Describing (config), compiling
// (compile.go), evaluating (evaluate.go), walking (walk.go) and executing
// (an executor) stand apart, and each uses only the one before.
package graph

import (
	"slices"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// Graph is a compiled plan: tasks in an order in which each comes after all
// that it needs, ties in the order of the plan.
type Graph struct {
	Plan  *config.Plan
	Nodes []*Node

	byName   map[string]*Node
	taxonomy stages.Source
	files    map[string]stages.FileInfo // external files by path
}

// Node is one stage of a graph, decoded and wired.
type Node struct {
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

// Files lists the files outside the store that the options name, by path.
func (g *Graph) Files() map[string]stages.FileInfo { return g.files }

// Node returns the task of that name.
func (g *Graph) Node(name string) (*Node, bool) {
	t, ok := g.byName[name]
	return t, ok
}

// Names lists the tasks in the plan's order.
func (g *Graph) Names() []string {
	names := make([]string, len(g.Nodes))
	for _, t := range g.Nodes {
		names[t.Index] = t.Name
	}
	return names
}

// Downstream returns the tasks that need name, directly or not, and itself.
func (g *Graph) Downstream(name string) map[string]bool {
	set := map[string]bool{name: true}
	for _, t := range g.Nodes {
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
	for _, t := range slices.Backward(g.Nodes) {
		if set[t.Name] {
			for _, n := range t.Needs {
				set[n] = true
			}
		}
	}
	return set
}

// Preimage makes the pre-image of a task on given inputs.
func (t *Node) Preimage(inputs map[string]storage.Artifact) key.Preimage {
	p := key.Preimage{Kind: t.Kind.Name, Version: t.Kind.Version, Options: t.Decoded.Keyed, Inputs: map[string]string{}, External: t.External}
	for name, a := range inputs {
		if !a.Volatile {
			p.Inputs[name] = a.Digest
		}
	}
	return p
}
