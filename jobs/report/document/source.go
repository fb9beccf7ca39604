// Package document reads what a store keeps of a run: the documents that its
// stages made, decoded as far as anybody shows them, whichever version wrote
// them. source.go loads a run, decode.go decodes an output, metrics.go and
// verification.go have what one verify stage made, and a file each holds the
// documents of a split, labels and a training.
//
// Keys that came later than the first versions are optional. All content is
// hostile: titles come from the web, documents from any command.
package document

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sprint-ml/sprint/jobs/provenance"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Source is what a store keeps of a run: plain documents, whoever wrote them.
type Source struct {
	Run      string
	Plan     string
	Class    string // how it ended, or where it stands
	Code     *int   // null while it has no end
	Error    string
	Command  string
	Version  string // of sprint
	Started  time.Time
	Finished time.Time // zero while it goes on
	Stages   []Stage   // in plan order
	Cost     *runs.Cost
	Releases []string // "quickstart@1 (latest)" that the run published
}

// Stage is one stage of the run with what it made.
type Stage struct {
	runs.StageResult
	// Manifest is nil if nothing was committed, or if it is gone.
	Manifest  *storage.Manifest
	Documents map[string]Output
}

// Output is the bytes of a JSON output. Missing says why there is none to read.
type Output struct {
	Data    []byte
	Missing string
}

// limits are the outputs that are read, with the most bytes that each may have.
var limits = map[string]int64{
	"label_report": 16 << 20, "split_report": 16 << 20, "history": 16 << 20, "calibration": 16 << 20, "metrics": 16 << 20,
	"checks": 16 << 20, "timings": 1 << 20, "predictions": 64 << 20,
}

// Load reads what a store keeps of a run that has ended, was killed, or still
// goes on. ErrNotFound: the store has no such run. Documents that are gone or
// damaged are no error: the report says so in their place.
func Load(ctx context.Context, s *storage.Store, run string) (*Source, error) {
	at, err := runs.Load(ctx, s, run)
	if err != nil {
		return nil, err
	}
	out := &Source{Run: run, Class: at.String(), Started: runs.Time(run)}
	var results []runs.StageResult
	if r := at.Record; r != nil {
		code := int(r.Code)
		out.Plan, out.Code, out.Error, out.Command, out.Version, out.Started, out.Finished = r.Plan, &code, r.Error, r.Command, r.Version, r.Started, r.Finished
		out.Cost, results = r.Cost, r.Stages
	} else if results, err = unfinished(ctx, s, run, out); err != nil {
		return nil, err
	} else {
		out.Cost = runs.CostOf(results)
	}
	for _, r := range results {
		st, err := loadStage(ctx, s, r)
		if err != nil {
			return nil, err
		}
		out.Stages = append(out.Stages, st)
	}
	return out, out.releases(ctx, s)
}

// unfinished gathers the stages of a run that has no end: from its journal, and
// their keys from its attempts or, of those that were done before, from what it
// noted that it uses.
func unfinished(ctx context.Context, s *storage.Store, run string, out *Source) ([]runs.StageResult, error) {
	resolved, err := runs.LoadResolved(ctx, s, run)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	out.Plan, out.Command, out.Version = resolved.Plan, resolved.Command, resolved.Version
	results, err := runs.Progress(ctx, s, run)
	if err != nil {
		return nil, err
	}
	cached := false
	for i := range results {
		r := &results[i]
		if cached = cached || r.State == runs.Cached; r.Attempt < 1 {
			continue
		}
		a, err := runs.LoadAttempt(ctx, s, run, r.Name, r.Attempt)
		if err != nil && !storage.MissingOrDamaged(err) {
			return nil, err
		}
		if err == nil {
			r.Key = a.Key
		}
	}
	if !cached {
		return results, nil
	}
	used, err := runs.LoadReadSet(ctx, s, run)
	if err != nil && !storage.MissingOrDamaged(err) {
		return nil, err
	}
	for m, err := range s.History(ctx, "") {
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(results, func(r runs.StageResult) bool { return r.Name == m.Stage && r.Kind == m.Kind && r.State == runs.Cached })
		if i >= 0 && slices.ContainsFunc(m.Outputs, func(a storage.Artifact) bool { return slices.Contains(used, a.Digest) }) {
			results[i].Key = m.Key
		}
	}
	return results, nil
}

func loadStage(ctx context.Context, s *storage.Store, r runs.StageResult) (Stage, error) {
	st := Stage{StageResult: r, Documents: map[string]Output{}}
	if r.Key == "" {
		return st, nil
	}
	m, err := s.Manifest(ctx, r.Kind, r.Key)
	switch {
	case err == nil:
		st.Manifest = &m
	case !storage.MissingOrDamaged(err):
		return st, err
	}
	if st.Outputs == nil && st.Manifest != nil {
		st.Outputs = map[string]runs.OutputResult{}
		for _, a := range m.Outputs {
			st.Outputs[a.Name] = runs.OutputResult{Digest: a.Digest, Size: a.Size, Volatile: a.Volatile}
		}
	}
	for name, o := range st.Outputs {
		if _, wanted := limits[name]; !wanted {
			continue
		}
		if st.Documents[name], err = loadOutput(ctx, s, r.Name+"."+name, o, limits[name]); err != nil {
			return st, err
		}
	}
	return st, nil
}

// loadOutput reads an output. One that is too large, gone or damaged is no error.
func loadOutput(ctx context.Context, s *storage.Store, name string, o runs.OutputResult, limit int64) (d Output, err error) {
	d.Data, err = s.ReadBlob(ctx, o.Digest, o.Size, limit)
	switch {
	case errors.Is(err, storage.ErrLarge):
		return Output{Missing: fmt.Sprintf("%s has %d bytes; a report reads %d at most", name, o.Size, limit)}, nil
	case errors.Is(err, storage.ErrNotFound):
		return Output{Missing: fmt.Sprintf("the bytes of %s are not in the store any more", name)}, nil
	case errors.Is(err, storage.ErrCorrupt):
		return Output{Missing: fmt.Sprintf("the bytes of %s are damaged in the store", name)}, nil
	}
	return d, err
}

// Read reads and decodes one output of a stage; ok is false if there is none
// that can be read.
func Read[T any](ctx context.Context, s *storage.Store, r runs.StageResult, name string) (out T, ok bool) {
	o, ok := r.Outputs[name]
	if !ok {
		return out, false
	}
	d, err := loadOutput(ctx, s, r.Name+"."+name, o, limits[name])
	if err != nil {
		return out, false
	}
	out, missing := Decode[T](Stage{StageResult: r, Documents: map[string]Output{name: d}}, name)
	return out, missing == ""
}

// releases names the releases that the run's publish stages made or found made, as far
// as they can be read.
func (s *Source) releases(ctx context.Context, store *storage.Store) error {
	for _, st := range s.OfKind("publish") {
		name, _ := st.Preimage().Options["name"].(string)
		digest := st.Outputs["release"].Digest
		if name == "" || digest == "" {
			continue
		}
		all, err := models.In(store).Releases(ctx, name)
		if err != nil && !storage.DamagedOrUntrusted(err) {
			return err
		}
		aliases, err := models.In(store).Aliases(ctx, name)
		if err != nil && !storage.DamagedOrUntrusted(err) {
			return err
		}
		for _, r := range all {
			if r.Digest == digest {
				s.Releases = append(s.Releases, provenance.Published{Name: name, Version: r.Version, Aliases: aliases[r.Version]}.String())
			}
		}
	}
	return nil
}

// OfKind lists the stages of a kind, in plan order.
func (s *Source) OfKind(kind string) []Stage {
	var out []Stage
	for _, st := range s.Stages {
		if st.Kind == kind {
			out = append(out, st)
		}
	}
	return out
}
