package models

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sprint-ml/sprint/storage"
)

// Publication is what one publish left in a registry.
type Publication struct {
	Name    string
	Version int    // 0: it is not known
	Digest  string // of the release's tree
	Alias   string
}

// Missing says what of a publication is not there any more, empty if all is: the
// record of the release, a copy of a file, the alias. An alias may name another
// version by now. The bytes of copies are not read, only their sizes are compared.
func (r Registry) Missing(ctx context.Context, p Publication) (string, error) {
	var reasons [2]string
	var errs [2]error
	var asking sync.WaitGroup
	asking.Go(func() {
		_, err := r.Alias(ctx, p.Name, p.Alias)
		reasons[1], errs[1] = lost("alias "+p.Alias+" of "+p.Name, err)
	})
	if p.Version > 0 {
		reasons[0], errs[0] = r.missingFile(ctx, p)
	}
	asking.Wait()
	for _, reason := range reasons {
		if reason != "" {
			return reason, nil
		}
	}
	return "", errors.Join(errs[:]...)
}

// missingFile is Missing of the release alone.
func (r Registry) missingFile(ctx context.Context, p Publication) (string, error) {
	what := fmt.Sprintf("release %s@%d", p.Name, p.Version)
	release, err := r.ReleaseAt(ctx, p.Name, p.Version)
	if err == nil && release.Digest != p.Digest {
		return what + " is another one", nil
	}
	if err != nil {
		return lost(what, err)
	}
	sizes := map[string]int64{}
	for info, err := range r.store.List(ctx, FileKey(p.Name, p.Version, "")) {
		if err != nil {
			return "", err
		}
		sizes[info.Key] = info.Size
	}
	same := map[string]bool{} // keys that have the size of one of their files: keys are lower case, paths are not
	for _, e := range release.Files {
		key := FileKey(p.Name, p.Version, e.Path)
		same[key] = same[key] || sizes[key] == e.Size
	}
	for _, e := range release.Files {
		key := FileKey(p.Name, p.Version, e.Path)
		if _, there := sizes[key]; !there {
			return fmt.Sprintf("file %s of %s is gone", e.Path, what), nil
		} else if !same[key] {
			return fmt.Sprintf("file %s of %s is damaged", e.Path, what), nil
		}
	}
	return "", nil
}

// lost puts into words what a reader met in place of a record.
func lost(what string, err error) (string, error) {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return what + " is gone", nil
	case errors.Is(err, storage.ErrCorrupt):
		return what + " is damaged", nil
	}
	return "", err
}
