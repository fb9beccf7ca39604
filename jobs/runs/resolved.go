package runs

import (
	"context"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Resolved is what a run was going to do: its stages with all their options. The
// fields stand in the order of their names, in which they are stored.
type Resolved struct {
	Args       []string                 `json:"args"` // of the command, without the program
	Command    string                   `json:"command"`
	Order      []string                 `json:"order"` // of the stages in the plan
	Plan       string                   `json:"plan"`
	PlanDigest string                   `json:"plan_digest"`
	Stages     map[string]ResolvedStage `json:"stages"`
	Started    time.Time                `json:"started"`
	Version    string                   `json:"version"`
}

// ResolvedStage is one stage of it.
type ResolvedStage struct {
	Device   string         `json:"device"`
	External map[string]any `json:"external"`
	Kind     string         `json:"kind"`
	Needs    []string       `json:"needs"`
	Options  map[string]any `json:"options"`
}

func resolvedKey(run string) string { return Key(run, "resolved.json") }

// SaveResolved stores what a run is going to do.
func SaveResolved(ctx context.Context, s *storage.Store, run string, r Resolved) error {
	b, err := seal(resolvedKey(run), r)
	if err != nil {
		return err
	}
	return s.WriteFile(ctx, resolvedKey(run), b)
}

// LoadResolved reads what a run was going to do. A run in which all was cached
// has none: ErrNotFound.
func LoadResolved(ctx context.Context, s *storage.Store, run string) (Resolved, error) {
	var r Resolved
	b, err := s.ReadFile(ctx, resolvedKey(run), 16<<20)
	if err != nil {
		return r, err
	}
	return r, unseal(resolvedKey(run), b, &r)
}

func planKey(run string) string { return Key(run, "plan.yaml") }

// SavePlan stores the source of the plan that a run runs.
func SavePlan(ctx context.Context, s *storage.Store, run string, source []byte) error {
	return s.WriteFile(ctx, planKey(run), source)
}

// LoadPlan returns the source of the plan that a run saved.
func LoadPlan(ctx context.Context, s *storage.Store, run string) ([]byte, error) {
	return s.ReadFile(ctx, planKey(run), 1<<20)
}
