package reload

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Reference is the source of a reference to a model, as answers.Open takes it.
type Reference struct {
	Options answers.Options

	mu    sync.Mutex
	store string // in which the reference was found last
}

// Resolve says what the reference names now.
func (s *Reference) Resolve(ctx context.Context) (Release, error) {
	r, store, ok, err := release.Resolve(ctx, s.Options.Ref, s.Options.Store, &storage.Options{Log: s.Options.Log, Keys: s.Options.Keys})
	if err != nil {
		return Release{}, err
	}
	if !ok {
		return Release{Name: filepath.Base(s.Options.Ref)}, nil
	}
	s.mu.Lock()
	s.store = store
	s.mu.Unlock()
	return Release{Name: r.Name, Version: r.Version, Digest: r.Digest}, nil
}

// Open opens a release that was named: its version, whatever the reference names by now.
func (s *Reference) Open(ctx context.Context, r Release, strict bool) (Opened, error) {
	o := s.Options
	if r.Version > 0 {
		o.Strict = o.Strict || strict
		s.mu.Lock()
		o.Ref, o.Store = r.String(), s.store
		o.Release = &models.Release{Name: r.Name, Version: r.Version, Digest: r.Digest}
		s.mu.Unlock()
	}
	c, fallback, done, err := answers.Open(ctx, o)
	if err == nil && fallback != nil && strict { // a folder may be one without a manifest, which answers' own word refuses
		done()
		return Opened{}, fallback
	}
	return Opened{Classifier: c, Fallback: fallback, Close: done}, err
}
