package jobs

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/config"
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

// choose works out which tasks are selected and which are forced.
func (u *run) choose() error {
	known := u.g.Names()
	check := func(flag string, names ...string) error {
		for _, n := range names {
			if n != "" && !slices.Contains(known, n) {
				return &config.UsageError{Message: fmt.Sprintf("%s %s: the plan has no such stage", flag, n), Hint: diagnostic.Suggest(n, known)}
			}
		}
		return nil
	}
	s := u.Select
	if err := errors.Join(check("--only", s.Only...), check("--from", s.From), check("--until", s.Until), check("--force", s.Force...)); err != nil {
		return err
	}
	u.selected, u.force = map[string]bool{}, map[string]bool{}
	down, up := map[string]bool{}, map[string]bool{}
	if s.From != "" {
		down = u.g.Downstream(s.From)
	}
	if s.Until != "" {
		up = u.g.Upstream(s.Until)
	}
	for _, n := range known {
		u.selected[n] = (len(s.Only) == 0 || slices.Contains(s.Only, n)) && (s.From == "" || down[n]) && (s.Until == "" || up[n])
		u.force[n] = u.selected[n] && (s.ForceAll || slices.Contains(s.Force, n))
	}
	return nil
}

// work reports whether any selected task has to run.
func (u *run) work(e *evaluate.Evaluation) bool {
	for name, v := range e.Decisions {
		if u.selected[name] && (v.State == runs.Pending || v.State == runs.Waiting) {
			return true
		}
	}
	return false
}
