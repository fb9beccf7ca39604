package estimate

import "github.com/sprint-ml/sprint/jobs/graph"

// Total is how long stages take of which left says the seconds: along the longest chain
// of needs, and no less than what so many at once need for all. ok is false if one is
// unknown.
func Total(g *graph.Graph, parallel int, left func(stage string) (seconds float64, known bool)) (seconds float64, ok bool) {
	sum, longest := 0.0, 0.0
	until := map[string]float64{}
	for _, node := range g.Nodes { // in the order of their needs
		own, known := left(node.Name)
		if !known {
			return 0, false
		}
		before := 0.0
		for _, n := range node.Needs {
			before = max(before, until[n])
		}
		until[node.Name] = before + own
		sum, longest = sum+own, max(longest, until[node.Name])
	}
	return max(longest, sum/float64(max(parallel, 1))), true
}
