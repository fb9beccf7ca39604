package graph

import (
	"fmt"

	"github.com/sprint-ml/sprint/config/diagnostic"
)

// CheckPreemptible refuses stages on machines that may be taken away which keep nothing of
// their work elsewhere: every interruption would begin them anew. lost says how long the
// work takes that would be lost, empty if that is unknown; nil knows it of none.
func (g *Graph) CheckPreemptible(lost func(*Node) string) error {
	var mistakes diagnostic.Errors
	for _, node := range g.Nodes {
		if !node.Stage.Resources.Preemptible || node.Kind.GoesOn(node.Options) {
			continue
		}
		cost := "how long that takes is unknown: it never ran in this store"
		if lost == nil {
			cost = "`sprint plan` says how long that takes, if it ever ran"
		} else if text := lost(node); text != "" {
			cost = text + " by its earlier work"
		}
		mistakes = append(mistakes, g.Plan.ErrorAt(node.Stage.FieldPos("resources.preemptible"), "stages."+node.Name+".resources.preemptible",
			fmt.Sprintf("kind %s keeps no checkpoints with these options: each interruption would lose all that the stage did, %s", node.Kind.Name, cost),
			"take `preemptible` out: the stage then goes to a machine that stays"))
	}
	return mistakes.OrNil()
}
