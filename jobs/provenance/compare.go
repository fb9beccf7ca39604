package provenance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/config/strictyaml"
	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// Comparison says in what two runs differ.
type Comparison struct {
	Stages  []StageComparison `json:"stages"`  // in the order of the second run, then what only the first has
	Metrics []MetricChange    `json:"metrics"` // numbers of JSON outputs that differ
}

// StageComparison is that of one stage.
type StageComparison struct {
	Name string            `json:"name"`
	Old  *runs.StageResult `json:"old"` // null if the run has no such stage
	New  *runs.StageResult `json:"new"`
	// Same is set if both have one key.
	Same    bool         `json:"same"`
	Changes []key.Change `json:"changes,omitempty"`  // of options and of what is outside the store
	Inputs  []DataChange `json:"inputs,omitempty"`   // artifacts read that differ
	Outputs []DataChange `json:"outputs,omitempty"`  // artifacts made that differ
	Record  []key.Change `json:"recorded,omitempty"` // options that no key holds, and the device
}

// DataChange is an artifact that differs; a digest is empty where there is none.
type DataChange struct {
	Name    string `json:"name"`
	Old     string `json:"old"`
	New     string `json:"new"`
	OldSize int64  `json:"old_size,omitempty"`
	NewSize int64  `json:"new_size,omitempty"`
}

// MetricChange is a number of a JSON output that differs; nil where there is none.
type MetricChange struct {
	Stage string   `json:"stage"`
	Name  string   `json:"name"` // "metrics.test.macro_f1"
	Old   *float64 `json:"old"`
	New   *float64 `json:"new"`
}

// side is one of the two runs.
type side struct {
	record    runs.Record
	resolved  runs.Resolved
	manifests map[string]*storage.Manifest // by stage
}

// Compare compares two runs that ended.
func Compare(ctx context.Context, s *storage.Store, old, now string) (*Comparison, error) {
	a, err := loadSide(ctx, s, old)
	if err != nil {
		return nil, err
	}
	b, err := loadSide(ctx, s, now)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(b.record.Stages))
	for _, st := range slices.Concat(b.record.Stages, a.record.Stages) {
		if !slices.Contains(names, st.Name) {
			names = append(names, st.Name)
		}
	}
	out := &Comparison{Stages: []StageComparison{}, Metrics: []MetricChange{}}
	for _, name := range names {
		c, err := compareStage(name, a, b)
		if err != nil {
			return nil, fmt.Errorf("stage %s cannot be compared: %w", name, err)
		}
		out.Stages = append(out.Stages, c)
		if len(c.Outputs) == 0 {
			continue
		}
		metrics, err := compareMetrics(ctx, s, c)
		if err != nil {
			return nil, err
		}
		out.Metrics = append(out.Metrics, metrics...)
	}
	return out, nil
}

func loadSide(ctx context.Context, s *storage.Store, run string) (*side, error) {
	out := &side{manifests: map[string]*storage.Manifest{}}
	var err error
	if out.record, err = runs.LoadRecord(ctx, s, run); err != nil {
		return nil, err
	}
	if out.resolved, err = runs.LoadResolved(ctx, s, run); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	for _, st := range out.record.Stages {
		if st.Key == "" {
			continue
		}
		m, err := s.Manifest(ctx, st.Kind, st.Key)
		switch {
		case err == nil:
			out.manifests[st.Name] = &m
		case !storage.MissingOrDamaged(err):
			return nil, err
		}
	}
	return out, nil
}

func (s *side) stage(name string) *runs.StageResult {
	i := slices.IndexFunc(s.record.Stages, func(st runs.StageResult) bool { return st.Name == name })
	if i < 0 {
		return nil
	}
	return &s.record.Stages[i]
}

// preimages are those of a stage in both runs: of the manifests or, if one of
// them made none, what the runs resolved, which holds no digests of inputs.
func preimages(name string, a, b *side) (p, q key.Preimage, known bool) {
	m, n := a.manifests[name], b.manifests[name]
	if m != nil && n != nil && json.Unmarshal(m.Preimage, &p) == nil && json.Unmarshal(n.Preimage, &q) == nil {
		return p, q, true
	}
	x, inA := a.resolved.Stages[name]
	y, inB := b.resolved.Stages[name]
	return key.Preimage{Kind: x.Kind, Options: x.Options, External: x.External}, key.Preimage{Kind: y.Kind, Options: y.Options, External: y.External}, inA && inB
}

func compareStage(name string, a, b *side) (StageComparison, error) {
	c := StageComparison{Name: name, Old: a.stage(name), New: b.stage(name)}
	if c.Old == nil || c.New == nil {
		return c, nil
	}
	c.Same = c.Old.Key == c.New.Key && c.Old.Key != ""
	if p, q, known := preimages(name, a, b); known && !c.Same {
		changes, err := difference(p, q)
		if err != nil {
			return c, err
		}
		for _, ch := range changes {
			input, isInput := strings.CutPrefix(ch.Path, "inputs.")
			switch {
			case isInput:
				c.Inputs = append(c.Inputs, DataChange{Name: input, Old: unquote(ch.Old), New: unquote(ch.New)})
			case ch.Path != "format":
				c.Changes = append(c.Changes, ch)
			}
		}
	}
	var err error
	if c.Record, err = recorded(name, a, b, c); err != nil {
		return c, err
	}
	for _, n := range union(c.Old.Outputs, c.New.Outputs) {
		x, y := c.Old.Outputs[n], c.New.Outputs[n]
		if x.Digest != y.Digest && !x.Volatile && !y.Volatile {
			c.Outputs = append(c.Outputs, DataChange{Name: n, Old: x.Digest, New: y.Digest, OldSize: x.Size, NewSize: y.Size})
		}
	}
	return c, nil
}

// union returns the keys of both maps in order.
func union[V any](a, b map[string]V) []string {
	both := map[string]V{}
	maps.Copy(both, a)
	maps.Copy(both, b)
	return slices.Sorted(maps.Keys(both))
}

// recorded lists what differs and is in no key: paths, pacing, the device.
func recorded(name string, a, b *side, c StageComparison) ([]key.Change, error) {
	var out []key.Change
	x, inA := a.resolved.Stages[name]
	y, inB := b.resolved.Stages[name]
	if inA && inB {
		changes, err := difference(x.Options, y.Options)
		if err != nil {
			return nil, err
		}
		for _, ch := range changes {
			ch.Path = "options." + ch.Path
			if !slices.ContainsFunc(c.Changes, func(k key.Change) bool { return k.Path == ch.Path }) {
				out = append(out, ch)
			}
		}
	}
	if c.Old.Device != c.New.Device {
		out = append(out, key.Change{Path: "device", Old: c.Old.Device, New: c.New.Device})
	}
	return out, nil
}

// difference is Difference for what is not encoded yet.
func difference(old, now any) ([]key.Change, error) {
	a, err := json.Marshal(old)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(now)
	if err != nil {
		return nil, err
	}
	return key.Difference(a, b), nil
}

func unquote(s string) string {
	if text, err := strconv.Unquote(s); err == nil {
		return text
	}
	return s
}

// metricLimit caps a JSON output that is compared number by number.
const metricLimit = 4 << 20

// compareMetrics compares the numbers of the outputs that both runs have as
// small JSON documents.
func compareMetrics(ctx context.Context, s *storage.Store, c StageComparison) ([]MetricChange, error) {
	var out []MetricChange
	for _, d := range c.Outputs {
		if d.Old == "" || d.New == "" {
			continue
		}
		x, err := numbers(ctx, s, d.Old, d.OldSize)
		if err != nil {
			return nil, err
		}
		y, err := numbers(ctx, s, d.New, d.NewSize)
		if err != nil {
			return nil, err
		}
		if x == nil || y == nil {
			continue
		}
		for _, n := range union(x, y) {
			m := MetricChange{Stage: c.Name, Name: strings.TrimSuffix(d.Name+"."+n, "."), Old: x[n], New: y[n]}
			if m.Old == nil || m.New == nil || *m.Old != *m.New {
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// numbers reads the numbers of a JSON document by their dotted paths; nil if it
// is none, is a list, is large, or is gone. Lists inside are left out: they are curves.
func numbers(ctx context.Context, s *storage.Store, digest string, size int64) (map[string]*float64, error) {
	data, err := s.ReadBlob(ctx, digest, size, metricLimit)
	if errors.Is(err, storage.ErrLarge) || storage.MissingOrDamaged(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var v any
	if json.Unmarshal(data, &v) != nil {
		return nil, nil //nolint:nilerr // most outputs are no JSON
	}
	out := map[string]*float64{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch x := v.(type) {
		case float64:
			out[path] = &x
		case map[string]any:
			for k, c := range x {
				walk(strictyaml.Join(path, k), c)
			}
		}
	}
	walk("", v)
	return out, nil
}
