package provenance

import (
	"maps"
	"slices"
)

// Trace is an artifact with the work before it (Up) and after it (Down), each
// listed once, nearest first.
type Trace struct {
	Artifact Found       `json:"artifact"`
	InTrees  []string    `json:"in_trees,omitempty"`
	Up       []*Origin   `json:"up"`
	Down     []*Origin   `json:"down"`
	Releases []Published `json:"releases"`
}

// NewTrace follows an artifact up and down from the digests in start. Trees are
// those that hold it as a file.
func NewTrace(l *Lineage, f Found, start, trees []string) Trace {
	t := Trace{Artifact: f, InTrees: trees, Up: []*Origin{}, Down: []*Origin{}, Releases: []Published{}}
	follow := func(next func(string) []*Origin, digests func(*Origin) []string, each func(string), into *[]*Origin) {
		seen, known := map[*Origin]bool{}, map[string]bool{}
		for todo := slices.Clone(start); len(todo) > 0; todo = todo[1:] {
			if known[todo[0]] {
				continue
			}
			known[todo[0]] = true
			each(todo[0])
			for _, o := range next(todo[0]) {
				if !seen[o] {
					seen[o] = true
					*into = append(*into, o)
					todo = append(todo, digests(o)...)
				}
			}
		}
	}
	follow(l.Makers, inputsOf, func(string) {}, &t.Up)
	follow(l.Users, outputsOf, func(d string) {
		for _, r := range l.Releases(d) {
			if !slices.ContainsFunc(t.Releases, func(p Published) bool { return p.Name == r.Name && p.Version == r.Version }) {
				t.Releases = append(t.Releases, r)
			}
		}
	}, &t.Down)
	return t
}

func inputsOf(o *Origin) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(o.Inputs)) {
		out = append(out, o.Inputs[name])
	}
	return out
}

func outputsOf(o *Origin) []string {
	var out []string
	for _, x := range o.Outputs {
		if !x.Volatile {
			out = append(out, x.Digest)
		}
	}
	return out
}
