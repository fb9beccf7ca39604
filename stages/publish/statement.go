package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models/signature"
)

// stateRun signs how a release was made; nothing of one that is not signed. It holds
// dates and machines, so it stands in the registry, beside the release.
func (s *stage) stateRun(ctx context.Context, f *folder, now time.Time) (json.RawMessage, error) {
	if f.key == nil {
		return nil, nil
	}
	o := s.env.Origin
	work, read := []map[string]any{}, []signature.Dependency{}
	for _, w := range o.Before {
		m, err := s.env.Store.Manifest(ctx, w.Kind, w.Key)
		if errors.Is(err, storage.ErrNotFound) { // it was needed for its order alone
			work = append(work, map[string]any{"stage": w.Stage, "kind": w.Kind, "key": w.Key})
			continue
		}
		if err != nil {
			return nil, storeFailure(err, "state the run: read what stage %s did", w.Stage)
		}
		facts, dependencies, err := state(w, &m)
		if err != nil {
			return nil, fmt.Errorf("state the run: stage %s: %w", w.Stage, err)
		}
		work, read = append(work, facts), append(read, dependencies...)
	}
	return signature.SignRun(ctx, f.key, s.o.Name, f.root, signature.Provenance{
		Definition: signature.Definition{
			BuildType: signature.BuildType, External: map[string]any{"plan": o.Plan, "plan_digest": o.PlanDigest},
			Internal: map[string]any{"key": o.Key, "stages": work}, Dependencies: read,
		},
		Details: signature.Details{
			Builder:  signature.Builder{ID: "https://github.com/sprint-ml/sprint", Version: map[string]string{"sprint": o.Version}},
			Metadata: signature.Metadata{Invocation: s.env.Run, Finished: now},
		},
	})
}

// state is what a statement says of a stage that is done: the work itself, and all that it
// read, each with its digest: artifacts, what lies outside the store, a device's plugin.
func state(w stages.Work, m *storage.Manifest) (map[string]any, []signature.Dependency, error) {
	var pre struct {
		Version  int            `json:"version"`
		External map[string]any `json:"external"`
	}
	if err := json.Unmarshal(m.Preimage, &pre); err != nil {
		return nil, nil, err
	}
	facts := map[string]any{"stage": w.Stage, "kind": w.Kind, "version": pre.Version, "key": w.Key, "run": m.Run, "sprint": m.Version}
	if m.Device != "" {
		facts["device"] = m.Device
	}
	var read []signature.Dependency
	for _, name := range slices.Sorted(maps.Keys(m.Inputs)) {
		read = append(read, dependency(w.Stage+"/"+name, m.Inputs[name]))
	}
	read = append(read, outside(w.Stage, pre.External)...)
	if plugin, ok := m.Notes["plugin"].(map[string]any); ok {
		digest, _ := plugin["digest"].(string)
		d := dependency(w.Stage+"/plugin", digest)
		d.Annotations = map[string]any{"name": plugin["name"], "version": plugin["version"]}
		read = append(read, d)
	}
	return facts, read, nil
}

// dependency has the digest, where it is one.
func dependency(name, digest string) signature.Dependency {
	d := signature.Dependency{Name: name}
	if hex := strings.TrimPrefix(digest, "sha256:"); signature.ValidID(hex) {
		d.Digest = map[string]string{"sha256": hex}
	} else if digest != "" {
		d.Annotations = map[string]any{"value": digest}
	}
	return d
}

// outside lists what was resolved outside the store, by the path of its name.
func outside(name string, v any) (out []signature.Dependency) {
	switch v := v.(type) {
	case string:
		return []signature.Dependency{dependency(name, v)}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, outside(name+"/"+k, v[k])...)
		}
	case []any:
		for i, x := range v {
			out = append(out, outside(fmt.Sprintf("%s/%d", name, i), x)...)
		}
	}
	return out
}
