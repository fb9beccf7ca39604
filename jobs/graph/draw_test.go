package graph

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/stages"
)

// drawn is a graph of nodes: "a", "b:a", "c:a,b".
func drawn(words ...string) *Graph {
	g := &Graph{byName: map[string]*Node{}}
	for _, w := range words {
		name, needs, _ := strings.Cut(w, ":")
		n := &Node{Name: name, Kind: stages.Kind{Name: name}}
		if needs != "" {
			n.Needs = strings.Split(needs, ",")
		}
		g.Nodes, g.byName[name] = append(g.Nodes, n), n
	}
	return g
}

// TestDraw: a row of nodes stands below each other; branches part and meet by lines of
// their own; a line over several ranks passes beside the boxes.
func TestDraw(t *testing.T) {
	for name, c := range map[string]struct {
		g    *Graph
		want string
	}{
		"row": {drawn("a", "b:a"), `
┌───┐
│ a │
└───┘
  │
┌───┐
│ b │
└───┘
`},
		"diamond": {drawn("a", "b:a", "c:a", "d:b,c"), `
    ┌───┐
    │ a │
    └───┘
      │
  ┌───┤
  │   │
  │   └───┐
  │       │
┌───┐   ┌───┐
│ b │   │ c │
└───┘   └───┘
  │       │
  └───┬───┘
      │
    ┌───┐
    │ d │
    └───┘
`},
		"far": {drawn("a", "b:a", "c:a,b"), `
  ┌───┐
  │ a │
  └───┘
    │
  ┌─┤
  │ │
  │ └───┐
  │     │
┌───┐   │
│ b │   │
└───┘   │
  │     │
  └─┬───┘
    │
  ┌───┐
  │ c │
  └───┘
`},
	} {
		got, ok := c.g.Draw(0, nil)
		if diff := cmp.Diff(c.want, "\n"+got); diff != "" || !ok {
			t.Errorf("%s: %v (-want +got):\n%s", name, ok, diff)
		}
	}
	even, _ := drawn("a", "bb:a", "ccc:bb").Draw(0, nil)
	if strings.ContainsAny(even, "├┤┬┴") || strings.Count(even, "└") != 3 {
		t.Errorf("boxes of several widths stand askew:\n%s", even)
	}
	if _, ok := drawn("a", "b", "c").Draw(15, nil); ok {
		t.Error("three boxes fit into 15 characters")
	}
	if got := drawn("a", "b:a").List(func(*Node) string { return "cached" }); got != "a  cached\nb  cached  <- a\n" {
		t.Errorf("the list is %q", got)
	}
	if got := drawn("a", "b:a").Mermaid(); got != "flowchart TD\n  n0[\"a\"]\n  n1[\"b\"]\n  n0 --> n1\n" {
		t.Errorf("Mermaid is %q", got)
	}
}
