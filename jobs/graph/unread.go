package graph

import (
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/config/diagnostic"
)

// unread warns of commands whose outputs no stage reads although stages follow: one that
// was meant to stand between two stages changes nothing then.
func (g *Graph) unread() diagnostic.Errors {
	read := map[Ref]bool{}
	for _, node := range g.Nodes {
		for _, in := range node.Inputs {
			read[in] = true
		}
	}
	var out diagnostic.Errors
	for _, node := range g.Nodes {
		var made []string
		for _, o := range node.Outputs {
			if !read[Ref{Name: o.Name, From: node.Name}] {
				made = append(made, o.Name)
			}
		}
		if node.Kind.Name != "command" || len(made) == 0 || len(made) < len(node.Outputs) {
			continue
		}
		if hint := g.passedBy(node); hint != "" {
			out = append(out, g.Plan.ErrorAt(node.Stage.Pos, "stages."+node.Name, fmt.Sprintf("stage %s makes %s, which no stage reads", node.Name, strings.Join(made, " and ")), hint))
		}
	}
	return out
}

// passedBy says what the first stage after node reads instead; it is empty if none follows.
func (g *Graph) passedBy(node *Node) string {
	after, before := g.Downstream(node.Name), g.Upstream(node.Name)
	for _, n := range g.Nodes {
		if n == node || !after[n.Name] {
			continue
		}
		for _, in := range n.Inputs {
			if before[in.From] {
				return fmt.Sprintf("%s reads %s from %s: call the output %s to put it in between", n.Name, in.Name, in.From, in.Name)
			}
		}
	}
	return ""
}
