package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/key"
)

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
