package storage

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/sprint-ml/sprint/storage/bucket"
)

const (
	// existingFrom is the number of files from which on lists of the blobs'
	// folders, of which there are 256, are fewer requests than questions.
	existingFrom = 512
	// askOneByOne blobs of one folder are asked for one by one.
	askOneByOne = 3
	// listLimit objects of one folder are too many to list.
	listLimit = 2000
)

// existing answers which of many blobs a store has already, from lists of their
// folders where that takes fewer requests than asking for each. It knows the
// blobs of the time of its lists: one that appears later is put again, to no
// harm.
type existing struct {
	s       *Store
	folders map[string]*folder // by the two digits that name one
}

// folder is what was listed of one, once.
type folder struct {
	wanted int
	once   sync.Once
	err    error
	blobs  map[string]Info
	marked map[string]bool // quarantined ones, or those that were
}

func (s *Store) newExisting(wanted []*bucket.Content) *existing {
	c := &existing{s: s, folders: map[string]*folder{}}
	for _, w := range wanted {
		at := shard(w.Digest)
		if c.folders[at] == nil {
			c.folders[at] = &folder{}
		}
		c.folders[at].wanted++
	}
	return c
}

func shard(digest string) string { return strings.TrimPrefix(digest, "sha256:")[:2] }

var errListLimit = errors.New("too many objects to list")

// has is Store.has of a blob that was announced as wanted.
func (c *existing) has(ctx context.Context, digest string) (Info, error) {
	key, err := BlobKey(digest)
	if err != nil {
		return Info{}, err
	}
	f := c.folders[shard(digest)]
	if f == nil || f.wanted <= askOneByOne {
		return c.s.has(ctx, digest)
	}
	f.once.Do(func() {
		if f.blobs, f.err = c.list(ctx, "blobs/sha256/"+shard(digest)+"/"); f.err != nil || len(f.blobs) == 0 {
			return
		}
		var marks map[string]Info
		if marks, f.err = c.list(ctx, "quarantine/sha256/"+shard(digest)+"/"); f.err != nil {
			return
		}
		f.marked = map[string]bool{}
		for mark := range marks {
			f.marked[mark] = true
		}
	})
	info, there := f.blobs[key]
	switch {
	case errors.Is(f.err, errListLimit), there && f.marked[quarantineKey(key)]:
		return c.s.has(ctx, digest)
	case f.err != nil:
		return Info{}, f.err
	case !there:
		return Info{}, &Error{Op: "stat", Key: key, Class: ErrNotFound}
	}
	return info, nil
}

func (c *existing) list(ctx context.Context, prefix string) (map[string]Info, error) {
	out := map[string]Info{}
	for info, err := range c.s.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		if out[info.Key] = info; len(out) > listLimit {
			return nil, errListLimit
		}
	}
	return out, nil
}
