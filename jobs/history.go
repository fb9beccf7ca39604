package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// eventLimit caps one chunk of a run's journal.
const eventLimit = 64 << 20

// Events calls visit with the journal of a run, in order, until its end so far.
// Lines that cannot be read are skipped: the journal explains, it decides nothing.
func Events(ctx context.Context, s *storage.Store, run string, visit func(Event)) error {
	for seq := 1; ; seq++ {
		b, err := s.ReadFile(ctx, fmt.Sprintf("runs/%s/events/%06d.jsonl", run, seq), eventLimit)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		for line := range bytes.SplitSeq(b, []byte{'\n'}) {
			var e Event
			if len(line) > 0 && json.Unmarshal(line, &e) == nil {
				visit(e)
			}
		}
	}
}

// SoFar gathers what the journal of a run says of its stages, in plan order.
func SoFar(ctx context.Context, s *storage.Store, run string) ([]StageResult, error) {
	var order []string
	known := map[string]*StageResult{}
	began := map[string]time.Time{}
	note := func(name string) *StageResult {
		if known[name] == nil {
			known[name] = &StageResult{Name: name}
			order = append(order, name)
		}
		return known[name]
	}
	// The run's first event comes before its journal does, so the stages'
	// order is in what the run resolved.
	if resolved, err := LoadResolved(ctx, s, run); err == nil {
		for _, name := range resolved.Order {
			note(name).Kind = resolved.Stages[name].Kind
		}
	}
	err := Events(ctx, s, run, func(e Event) {
		if e.Type != EventState || e.State == nil {
			return
		}
		r := note(e.Stage)
		r.State, r.Reason, r.Attempt, r.Seconds = *e.State, e.Reason, e.Attempt, e.Seconds
		r.Error = e.Message
		switch {
		case r.State == Running:
			began[e.Stage] = e.Time
		case e.Wait > 0:
			r.Error = e.Reason + ": " + e.Message
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]StageResult, 0, len(order))
	for _, name := range order {
		r := known[name]
		if r.State == Running {
			r.Seconds = time.Since(began[name]).Seconds()
		}
		out = append(out, *r)
	}
	return out, nil
}

// Resolved is what a run was going to do: its stages with all their options.
type Resolved struct {
	Plan       string                   `json:"plan"`
	PlanDigest string                   `json:"plan_digest"`
	Command    string                   `json:"command"`
	Args       []string                 `json:"args"` // of the command, without the program
	Version    string                   `json:"version"`
	Started    time.Time                `json:"started"`
	Order      []string                 `json:"order"`
	Stages     map[string]ResolvedStage `json:"stages"`
}

// ResolvedStage is one stage of it.
type ResolvedStage struct {
	Kind     string         `json:"kind"`
	Options  map[string]any `json:"options"`
	External map[string]any `json:"external"`
	Device   string         `json:"device"`
	Needs    []string       `json:"needs"`
}

// LoadResolved reads it. A run in which all was cached has none: ErrNotFound.
func LoadResolved(ctx context.Context, s *storage.Store, run string) (Resolved, error) {
	var r Resolved
	key := runKey(run, "resolved.json")
	b, err := s.ReadFile(ctx, key, 16<<20)
	if err != nil {
		return r, err
	}
	return r, unseal(key, b, &r)
}
