package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/sprint-ml/sprint/storage"
)

// Record is the stored end of a run.
type Record struct {
	Plan     string    `json:"plan"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Version  string    `json:"version,omitempty"`
	Command  string    `json:"command,omitempty"`
	Args     []string  `json:"args,omitempty"` // of the command, without the program
	Result
}

// SaveRecord stores a run's end where outside programs may read it.
func SaveRecord(ctx context.Context, s *storage.Store, r Record) error {
	return saveDocument(ctx, s, Key(*r.Run, "result.json"), r)
}

// LoadRecord reads the end of a run. ErrNotFound means that the run has none
// (yet), or does not exist.
func LoadRecord(ctx context.Context, s *storage.Store, run string) (Record, error) {
	return loadDocument[Record](ctx, s, Key(run, "result.json"))
}

// loadHead reads of a run's end what comes before its stages, which may be many.
// Records whose stages come first are read to their end, and so are signed ones.
func loadHead(ctx context.Context, s *storage.Store, run string) (Record, error) {
	if s.Keys() != nil {
		return LoadRecord(ctx, s, run)
	}
	f, err := s.OpenFile(ctx, Key(run, "result.json"))
	if err != nil {
		return Record{}, err
	}
	defer f.Close()
	if r, err := decodeHead(f); err == nil {
		return r, nil
	}
	return LoadRecord(ctx, s, run) // it says what is wrong, and tries again
}

func decodeHead(f io.Reader) (r Record, err error) {
	fields := map[string]any{
		"plan": &r.Plan, "started": &r.Started, "finished": &r.Finished, "version": &r.Version, "command": &r.Command, "args": &r.Args,
		"run": &r.Run, "code": &r.Code, "class": &r.Class, "retryable": &r.Retryable, "error": &r.Error, "hint": &r.Hint, "continue": &r.Continue,
		"figures": &r.Figures, "cost": &r.Cost,
	}
	d := json.NewDecoder(f)
	if _, err := d.Token(); err != nil {
		return r, err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return r, err
		}
		if name == "stages" && !r.Finished.IsZero() {
			return r, nil
		}
		into := fields[fmt.Sprint(name)]
		if into == nil {
			into = new(json.RawMessage)
		}
		if err := d.Decode(into); err != nil {
			return r, err
		}
	}
	return r, nil
}

// createJSON stores the JSON of a value as a record that is not there yet.
func createJSON(ctx context.Context, s *storage.Store, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s cannot be stored as JSON: %w", key, err)
	}
	return s.Create(ctx, key, b)
}

// loadJSON reads a record whose body is the JSON of a T; op says what for.
func loadJSON[T any](ctx context.Context, s *storage.Store, op, key string) (v T, err error) {
	body, _, err := s.Read(ctx, key)
	if err != nil {
		return v, err
	}
	if err = json.Unmarshal(body, &v); err != nil {
		err = &storage.Error{Op: op, Key: key, Class: storage.ErrCorrupt, Err: err}
	}
	return v, err
}

// saveDocument stores v, a struct with at least one field, as a document: a run's
// result.json and resolved.json are for outside programs to read.
func saveDocument(ctx context.Context, s *storage.Store, key string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return s.WriteDocument(ctx, key, b)
}

// loadDocument reads and decodes what is under a key.
func loadDocument[T any](ctx context.Context, s *storage.Store, key string) (v T, err error) {
	b, err := s.ReadDocument(ctx, key)
	if err != nil {
		return v, err
	}
	if err = json.Unmarshal(b, &v); err != nil {
		err = &storage.Error{Op: "read run", Key: key, Class: storage.ErrCorrupt, Err: err}
	}
	return v, err
}

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
	return saveDocument(ctx, s, resolvedKey(run), r)
}

// LoadResolved reads what a run was going to do. A run in which all was cached
// has none: ErrNotFound.
func LoadResolved(ctx context.Context, s *storage.Store, run string) (Resolved, error) {
	return loadDocument[Resolved](ctx, s, resolvedKey(run))
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
