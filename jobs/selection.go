package jobs

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// Selection restricts a run to a part of the graph.
type Selection struct {
	Only     []string // these alone
	From     string   // this and what follows from it
	Until    string   // this and what it needs
	Force    []string // run these although they are done
	ForceAll bool     // force everything selected
}

// selectNodes works out which nodes are selected and which are forced.
func (r *run) selectNodes() error {
	known := r.g.Names()
	check := func(flag string, names ...string) error {
		for _, n := range names {
			if n != "" && !slices.Contains(known, n) {
				return &diagnostic.UsageError{Message: fmt.Sprintf("%s %s: the plan has no such stage", flag, n), Hint: diagnostic.Suggest(n, known)}
			}
		}
		return nil
	}
	s := r.Select
	if err := errors.Join(check("--only", s.Only...), check("--from", s.From), check("--until", s.Until), check("--force", s.Force...)); err != nil {
		return err
	}
	r.selected, r.forced = map[string]bool{}, map[string]bool{}
	down, up := map[string]bool{}, map[string]bool{}
	if s.From != "" {
		down = r.g.Downstream(s.From)
	}
	if s.Until != "" {
		up = r.g.Upstream(s.Until)
	}
	for _, n := range known {
		r.selected[n] = (len(s.Only) == 0 || slices.Contains(s.Only, n)) && (s.From == "" || down[n]) && (s.Until == "" || up[n])
		r.forced[n] = r.selected[n] && (s.ForceAll || slices.Contains(s.Force, n))
	}
	return nil
}

// hasWork reports whether any selected node has to run.
func (r *run) hasWork(e *evaluate.Evaluation) bool {
	for name, d := range e.Decisions {
		if r.selected[name] && (d.State == runs.Pending || d.State == runs.Waiting) {
			return true
		}
	}
	return false
}
