package replica

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// release is what a record says of the files of one version, read once.
type release struct {
	once  sync.Once
	files map[string]storage.TreeEntry // by key
	err   error
}

// published is the entry of a release's file, which is a copy of a blob under its own
// name. Nothing vouches for a file whose release is damaged or does not name it. ok
// is false for keys of other objects.
func (c *replication) published(ctx context.Context, key string) (e storage.TreeEntry, ok bool, err error) {
	parts := strings.SplitN(key, "/", 5)
	if len(parts) != 5 || parts[0] != "models" || parts[2] == "history" || parts[3] != "files" {
		return e, false, nil
	}
	folder := strings.Join(parts[:3], "/")
	c.mu.Lock()
	r := c.releases[folder]
	if r == nil {
		r = &release{files: map[string]storage.TreeEntry{}}
		c.releases[folder] = r
	}
	c.mu.Unlock()
	r.once.Do(func() {
		version, ok := models.ParseVersion(parts[2])
		if !ok {
			r.err = corrupt(key, "%s is no version", parts[2])
			return
		}
		there, err := models.In(c.from).ReleaseAt(ctx, parts[1], version)
		r.err = source(err)
		for _, f := range there.Files {
			r.files[models.FileKey(parts[1], version, f.Path)] = f
		}
	})
	switch e, named := r.files[key]; {
	case named:
		return e, true, nil
	case errors.Is(r.err, storage.ErrNotFound):
		return e, true, r.err // a release in the making
	case r.err != nil && !storage.MissingOrDamaged(r.err) && !errors.Is(r.err, storage.ErrUntrusted):
		return e, true, r.err
	}
	return e, true, corrupt(key, "no release vouches for it")
}
