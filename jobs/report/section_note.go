package report

import (
	"fmt"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"maps"
	"slices"
	"strings"
)

// trainNotes are facts of a training beside its curves.
func trainNotes(st document.Stage) []Fact {
	var out []Fact
	add := func(name, text string) { out = append(out, Fact{name, Cell{Text: text}}) }
	if from, ok := document.Note[map[string]float64](st, "with_rules"); ok && len(from) > 0 {
		add("Rules answer too", strings.Join(slices.Sorted(maps.Keys(from)), ", ")+" (there the model leans on their words)")
	}
	for _, x := range [][2]string{{"resumed", "Resumed"}, {"budget", "Budget"}} {
		if text, ok := document.Note[string](st, x[0]); ok {
			add(x[1], text)
		}
	}
	if p, ok := document.Note[struct {
		All       int     `json:"all"`
		FromCache int     `json:"from_cache"`
		Seconds   float64 `json:"seconds"`
	}](st, "programs"); ok {
		add("Programs compiled", fmt.Sprintf("%d, %d of them from the cache, in %s", p.All, p.FromCache, duration(p.Seconds)))
	}
	return out
}
