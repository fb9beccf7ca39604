// Package estimate foretells how long the stages of a run will take, from what
// earlier work of the same kinds took in the same store. An estimate is for the eye:
// nothing is decided by it, and whatever is wrong with what it is made from only
// means that nothing is foretold.
//
//	estimate.go  the estimate of a stage
//	total.go     that of a run
//	lost.go      what an interruption costs a stage without checkpoints
//	words.go     how a time is said that is only known roughly
package estimate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/evaluate"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage"
)

// recent is how many of a kind's newest manifests are looked at where the plan's own
// stage was never done.
const recent = 5

// farthest is how many times larger or smaller work may be than what was measured: an
// estimate beyond it would be a guess.
const farthest = 100

// Stage is the estimate of one stage. The zero value knows nothing.
type Stage struct {
	store   *storage.Store
	kind    stages.Kind
	options any
	took    time.Duration // by the earlier work, without compiling
	once    time.Duration // to compile what is not kept
	times   float64       // its effort
	input   string        // digest of the input that it went through
	basis   string        // whose time that is, for people
}

// Basis says what the estimate is made from: "its last run", "3 runs of train".
func (s Stage) Basis() string { return s.basis }

// Of estimates the stages among names, which would run. It reads the store, a few
// records for each; ctx bounds that. Stages of which nothing is known are left out.
func Of(ctx context.Context, e *evaluate.Evaluation, store *storage.Store, names []string) map[string]Stage {
	found := make([]Stage, len(names))
	var reading sync.WaitGroup
	for i, name := range names {
		if node, ok := e.Graph.Node(name); ok {
			reading.Go(func() { found[i] = ofNode(ctx, e.Graph, store, node) })
		}
	}
	reading.Wait()
	out := map[string]Stage{}
	for i, name := range names {
		if found[i].took > 0 {
			out[name] = found[i]
		}
	}
	return out
}

// Seconds is what Of found, for the inputs that are known before the run.
func Seconds(ctx context.Context, e *evaluate.Evaluation, found map[string]Stage) map[string]float64 {
	out := map[string]float64{}
	for name, s := range found {
		node, _ := e.Graph.Node(name)
		inputs, _ := evaluate.Inputs(node, e.Decisions)
		if seconds := s.Seconds(ctx, inputs); seconds > 0 {
			out[name] = seconds
		}
	}
	return out
}

// ofNode prefers the last work of the same stage of the same plan to the newest of its
// kind, of which it takes the median.
func ofNode(ctx context.Context, g *graph.Graph, store *storage.Store, node *graph.Node) Stage {
	last, err := evaluate.Evaluator{Store: store}.Last(ctx, g, node)
	if err == nil && last != nil && whole(last) {
		s := of(store, node, last)
		s.once = 0 // what was compiled is kept
		s.basis = "its last run"
		return s
	}
	var known []Stage
	for _, m := range newest(ctx, store, node.Kind.Name) {
		if whole(&m) {
			known = append(known, of(store, node, &m))
		}
	}
	if len(known) == 0 {
		return Stage{}
	}
	slices.SortFunc(known, func(a, b Stage) int { return cmp.Compare(a.per(), b.per()) })
	s := known[len(known)/2]
	if s.basis = "1 run of " + node.Kind.Name; len(known) > 1 {
		s.basis = fmt.Sprintf("%d runs of %s", len(known), node.Kind.Name)
	}
	return s
}

func of(store *storage.Store, node *graph.Node, m *storage.Manifest) Stage {
	s := Stage{store: store, kind: node.Kind, options: node.Options, times: 1, once: compiling(m)}
	s.took = m.Finished.Sub(m.Started) - s.once
	if node.Kind.Effort == nil {
		return s
	}
	var before struct{ Options json.RawMessage }
	options := node.Kind.Options()
	if json.Unmarshal(m.Preimage, &before) != nil || json.Unmarshal(before.Options, options) != nil {
		return s
	}
	input, times := node.Kind.Effort(options)
	if s.input = m.Inputs[input]; times > 0 {
		s.times = times
	}
	return s
}

// per is the time of one pass.
func (s Stage) per() float64 { return s.took.Seconds() / s.times }

// whole reports whether a manifest tells how long its work took. That of work which went
// on from a checkpoint tells of the last part alone, that of work which its money ended of
// the first.
func whole(m *storage.Manifest) bool {
	_, resumed := m.Notes["resumed"]
	_, early := m.Notes[stages.NoteEndedEarly]
	return !resumed && !early && m.Finished.After(m.Started)
}

// compiling is the part of a manifest's time in which programs were compiled that are
// kept since. A stored note may be anybody's: what is no sane number counts for nothing.
func compiling(m *storage.Manifest) time.Duration {
	noted, _ := m.Notes["programs"].(map[string]any)
	all, _ := noted["all"].(float64)
	cached, _ := noted["from_cache"].(float64)
	seconds, _ := noted["seconds"].(float64)
	part := seconds * (all - cached) / all
	if !(part > 0) || part >= m.Finished.Sub(m.Started).Seconds() {
		return 0
	}
	return time.Duration(part * float64(time.Second))
}

// newest reads the manifests of a kind that were written last.
func newest(ctx context.Context, store *storage.Store, kind string) []storage.Manifest {
	var keys []storage.Info
	for info, err := range store.List(ctx, "manifests/"+kind+"/") {
		if err != nil {
			return nil
		}
		keys = append(keys, info)
	}
	slices.SortFunc(keys, func(a, b storage.Info) int { return b.ModTime.Compare(a.ModTime) })
	var out []storage.Manifest
	for _, info := range keys[:min(recent, len(keys))] {
		if m, err := store.ManifestAt(ctx, info.Key); err == nil {
			out = append(out, m)
		}
	}
	return out
}

// Seconds is how long the stage will take on these inputs, which may be those that are
// known so far; 0 is unknown. It may ask the store for the size of the earlier input.
func (s Stage) Seconds(ctx context.Context, inputs map[string]storage.Artifact) float64 {
	if s.took <= 0 {
		return 0
	}
	seconds, once := s.took.Seconds(), s.once.Seconds()
	if s.kind.Effort == nil {
		return seconds + once
	}
	input, times := s.kind.Effort(s.options)
	ratio := 1.0
	if times > 0 {
		ratio = times / s.times
	}
	ratio *= s.growth(ctx, inputs[input])
	if !(ratio > 1./farthest && ratio < farthest) {
		return 0
	}
	return seconds*ratio + once
}

// growth is how many times larger an input is than the earlier one, 1 if that is unknown.
func (s Stage) growth(ctx context.Context, now storage.Artifact) float64 {
	if s.input == "" || now.Size <= 0 || now.Digest == s.input {
		return 1
	}
	at, err := storage.BlobKey(s.input)
	if err != nil {
		return 1
	}
	before, err := s.store.Stat(ctx, at)
	if err != nil || before.Size <= 0 {
		return 1
	}
	return float64(now.Size) / float64(before.Size)
}
