package release

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Before returns the last release of a name that came before the first one of
// the given model; of a model that was never published, the newest release. ok
// is false if there is none.
func Before(ctx context.Context, store *storage.Store, name, model string) (r models.Release, ok bool, err error) {
	releases, err := models.In(store).Releases(ctx, name)
	if err != nil {
		return r, false, fmt.Errorf("releases of %s: %w", name, err)
	}
	for _, next := range releases {
		data, err := ReadFile(ctx, store, next.Files, "manifest.json")
		var manifest struct {
			Model string `json:"model"`
		}
		if err == nil {
			err = json.Unmarshal(data, &manifest)
		}
		switch {
		case ctx.Err() != nil:
			return r, false, err
		case err != nil && !storage.MissingOrDamaged(err):
			return r, false, fmt.Errorf("release %s@%d: %w", name, next.Version, err)
		case err != nil:
			continue // a broken release is none to compare with
		case manifest.Model == model:
			return r, ok, nil
		}
		r, ok = next, true
	}
	return r, ok, nil
}
