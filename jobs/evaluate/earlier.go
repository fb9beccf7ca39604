package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/storage"
)

// pointer is the record of the last commit of a stage of a plan. It is only
// read to explain, so the last writer may win.
type pointer struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

func pointerKey(plan, stage string) string { return "last/" + plan + "/" + stage }

// SaveLast notes the key under which a stage of a plan was committed last.
func SaveLast(ctx context.Context, s *storage.Store, plan, stage, kind, key string) error {
	b, err := json.Marshal(pointer{Kind: kind, Key: key})
	if err != nil {
		return err
	}
	return s.WriteFile(ctx, pointerKey(plan, stage), b)
}

// Last returns the newest manifest of the same stage of the same plan, nil if
// there is none.
func (e Evaluator) Last(ctx context.Context, g *graph.Graph, node *graph.Node) (*storage.Manifest, error) {
	b, err := e.Store.ReadFile(ctx, pointerKey(g.Plan.Name, node.Name), 4096)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var p pointer
	if json.Unmarshal(b, &p) != nil || p.Kind != node.Kind.Name {
		return nil, nil //nolint:nilerr // a broken pointer only costs an explanation
	}
	m, err := e.Store.Manifest(ctx, p.Kind, p.Key)
	if storage.MissingOrDamaged(err) {
		return nil, nil // nothing to compare with is no failure
	}
	return &m, err
}

// Nearest returns the manifest of a node's kind whose pre-image differs least from
// that of the decision, and the differences. Of equally near ones it is the newest.
// The manifests of the same key are no candidates; nil if there are no others.
func (e Evaluator) Nearest(ctx context.Context, node *graph.Node, d *Decision) (*storage.Manifest, []key.Change, error) {
	var best *storage.Manifest
	var least []key.Change
	for m, err := range e.Store.History(ctx, node.Kind.Name) {
		if err != nil {
			return nil, nil, err
		}
		if m.Key == d.Key {
			continue
		}
		changes := difference(m.Preimage, node, d)
		if best == nil || len(changes) < len(least) || len(changes) == len(least) && m.Finished.After(best.Finished) {
			best, least = &m, changes
		}
	}
	return best, least, nil
}

// externalFiles is implemented by options that key a list of files by their bytes
// alone: it names the files of an external value, in the order of their digests.
type externalFiles interface{ ExternalFiles(name string) []string }

// difference compares an earlier pre-image with that of a decision, and names the
// files whose bytes are new.
func difference(old []byte, node *graph.Node, d *Decision) []key.Change {
	changes := key.Difference(old, d.Preimage)
	named, ok := node.Options.(externalFiles)
	for i := 0; ok && i < len(changes); i++ {
		var before, now []string
		c := &changes[i]
		name, _ := strings.CutPrefix(c.Path, "external.")
		files := named.ExternalFiles(name)
		if json.Unmarshal([]byte(c.Old), &before) != nil || json.Unmarshal([]byte(c.New), &now) != nil || len(now) != len(files) {
			continue
		}
		for k, digest := range now {
			if !slices.Contains(before, digest) {
				c.Files = append(c.Files, files[k])
			}
		}
	}
	return changes
}
