package evaluate

import (
	"context"

	"github.com/sprint-ml/sprint/jobs/key"
	"github.com/sprint-ml/sprint/storage"
)

// Nearest returns the manifest of a kind whose pre-image differs least from the
// given one, and the differences. Of equally near ones it is the newest. The
// manifests of the key own are no candidates; nil if there are no others.
func (e Evaluator) Nearest(ctx context.Context, kind, own string, preimage []byte) (*storage.Manifest, []key.Change, error) {
	var best *storage.Manifest
	var least []key.Change
	for m, err := range e.Store.History(ctx, kind) {
		if err != nil {
			return nil, nil, err
		}
		if m.Key == own {
			continue
		}
		changes := key.Difference(m.Preimage, preimage)
		if best == nil || len(changes) < len(least) || len(changes) == len(least) && m.Finished.After(best.Finished) {
			best, least = &m, changes
		}
	}
	return best, least, nil
}
