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
	for _, t := range g.Nodes {
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
	for _, t := range g.Nodes {
		fmt.Fprintf(&b, "  %q [label=%q];\n", t.Name, t.Name+"\n"+t.Kind.Name)
	}
	for _, t := range g.Nodes {
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
