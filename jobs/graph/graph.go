// Package graph turns a plan into a graph of nodes: kinds are resolved, options
// decoded, inputs wired to the nearest stage that makes them. It reads no store of
// artifacts and decides nothing about what has been done.
//
//	graph.go    Graph and Node, a node's pre-image, a graph as text and for Graphviz
//	compile.go  from a plan to a graph, with all mistakes at once
//	lookup.go   what a plan depends on outside the store: files, pins
//	files.go    what is wrong with the files of people that a plan names
//	preemptible.go  which stages may not be interrupted, as they would begin anew
package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// Graph is a compiled plan: nodes in an order in which each comes after all
// that it needs, ties in the order of the plan.
type Graph struct {
	Plan  *config.Plan
	Nodes []*Node
	// Trust is that of CompileOptions.
	Trust *signature.Trust

	byName   map[string]*Node
	options  *config.Options
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

// Ref says which node makes an input.
type Ref struct {
	Name string // of the artifact
	From string // of the node; empty for an optional input that nothing makes
}

// Taxonomy is the plan's taxonomy file; empty if it names none.
func (g *Graph) Taxonomy() stages.Source { return g.taxonomy }

// Files lists the files outside the store that the options name, by path.
func (g *Graph) Files() map[string]stages.FileInfo { return g.files }

// Node returns the node of that name.
func (g *Graph) Node(name string) (*Node, bool) {
	node, ok := g.byName[name]
	return node, ok
}

// Names lists the nodes in the plan's order.
func (g *Graph) Names() []string {
	names := make([]string, len(g.Nodes))
	for _, node := range g.Nodes {
		names[node.Index] = node.Name
	}
	return names
}

// Downstream returns the nodes that need name, directly or not, and itself.
func (g *Graph) Downstream(name string) map[string]bool {
	set := map[string]bool{name: true}
	for _, node := range g.Nodes {
		for _, n := range node.Needs {
			if set[n] {
				set[node.Name] = true
			}
		}
	}
	return set
}

// Upstream returns the nodes that name needs, directly or not, and itself.
func (g *Graph) Upstream(name string) map[string]bool {
	set := map[string]bool{name: true}
	for _, node := range slices.Backward(g.Nodes) {
		if set[node.Name] {
			for _, n := range node.Needs {
				set[n] = true
			}
		}
	}
	return set
}

// Preimage makes the pre-image of a node on given inputs.
func (node *Node) Preimage(inputs map[string]storage.Artifact) key.Preimage {
	p := key.Preimage{Kind: node.Kind.Name, Version: node.Kind.Version, Options: node.Decoded.Keyed, Inputs: map[string]string{}, External: node.External}
	for name, a := range inputs {
		if !a.Volatile {
			p.Inputs[name] = a.Digest
		}
	}
	return p
}

// String renders the graph for people and golden files: nodes, then edges.
func (g *Graph) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plan %s\n", g.Plan.Name)
	for _, node := range g.Nodes {
		fmt.Fprintf(&b, "\n%s (%s v%d)\n", node.Name, node.Kind.Name, node.Kind.Version)
		if len(node.Needs) > 0 {
			fmt.Fprintf(&b, "  needs   %s\n", strings.Join(node.Needs, ", "))
		}
		for _, r := range node.Inputs {
			from := r.From
			if from == "" {
				from = "(nothing)"
			}
			fmt.Fprintf(&b, "  reads   %s from %s\n", r.Name, from)
		}
		for _, o := range node.Outputs {
			kind := ""
			if o.Volatile {
				kind = " (volatile)"
			}
			fmt.Fprintf(&b, "  makes   %s%s\n", o.Name, kind)
		}
		for _, k := range slices.Sorted(maps.Keys(node.Decoded.Keyed)) {
			if v := node.Decoded.Keyed[k]; v != nil {
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
	for _, node := range g.Nodes {
		fmt.Fprintf(&b, "  %q [label=%q];\n", node.Name, node.Name+"\n"+node.Kind.Name)
	}
	for _, node := range g.Nodes {
		labels := map[string][]string{}
		for _, r := range node.Inputs {
			if r.From != "" {
				labels[r.From] = append(labels[r.From], r.Name)
			}
		}
		for _, n := range node.Needs {
			if _, ok := labels[n]; !ok {
				labels[n] = nil
			}
		}
		for _, f := range slices.Sorted(maps.Keys(labels)) {
			fmt.Fprintf(&b, "  %q -> %q [label=%q];\n", f, node.Name, strings.Join(labels[f], ", "))
		}
	}
	b.WriteString("}\n")
	return b.String()
}
