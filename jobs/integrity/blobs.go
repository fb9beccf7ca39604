package integrity

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/storage"
)

// digest32 is a digest without its text form.
type digest32 [32]byte

func (d digest32) String() string { return "sha256:" + hex.EncodeToString(d[:]) }

// parseDigest reads 64 hex digits, with or without the name of the hash.
func parseDigest(text string) (d digest32, ok bool) {
	text = strings.TrimPrefix(text, "sha256:")
	if len(text) != 64 {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(text))
	return d, err == nil
}

// reference is a blob that records name.
type reference struct {
	size     int64 // negative: no record says it
	by       int32 // the record that demands it, in names
	demanded bool  // else it is named by what decides nothing any more
	tree     bool
	there    bool
}

// references are all blobs that records name.
type references struct {
	blobs map[digest32]reference
	names []string // keys of records
}

func newReferences() *references { return &references{blobs: map[digest32]reference{}} }

// name adds a record; add takes the number that it returns.
func (r *references) name(key string) int32 {
	r.names = append(r.names, key)
	return int32(len(r.names) - 1) //nolint:gosec // two thousand million records
}

// add names a blob. It returns false if another record says another size of it.
func (r *references) add(digest string, size int64, by int32, demanded, tree bool) bool {
	d, ok := parseDigest(digest)
	if !ok {
		return true // of a record that was not read strictly
	}
	now, known := r.blobs[d]
	agreed := !known || size < 0 || now.size < 0 || now.size == size
	if !known {
		now.size, now.by = size, by
	}
	if demanded && !now.demanded {
		now.by, now.demanded = by, true
	}
	if now.size < 0 {
		now.size = size
	}
	now.tree = now.tree || tree
	r.blobs[d] = now
	return agreed
}

// addAll adds what a record names.
func (c *check) addAll(key string, demanded bool, artifacts []storage.Artifact) {
	if len(artifacts) == 0 {
		return
	}
	var bad []storage.Artifact
	c.mu.Lock()
	by := c.blobs.name(key)
	for _, a := range artifacts {
		if !c.blobs.add(a.Digest, a.Size, by, demanded, a.Media == storage.MediaTree) && demanded {
			bad = append(bad, a)
		}
	}
	c.mu.Unlock()
	for _, a := range bad {
		c.fault(Fault{Key: key, Problem: Damaged}, fmt.Errorf("it says that %s has %d bytes, which another record denies", a.Digest, a.Size))
	}
}

// files are the files of a listing as artifacts.
func files(entries []storage.TreeEntry) []storage.Artifact {
	out := make([]storage.Artifact, len(entries))
	for i, e := range entries {
		out[i] = storage.Artifact{Digest: e.Digest, Size: e.Size}
	}
	return out
}

// readTrees adds the files of all trees that records name.
func (c *check) readTrees(ctx context.Context) error {
	type tree struct {
		digest   digest32
		by       string
		demanded bool
	}
	var trees []tree
	for d, r := range c.blobs.blobs {
		if r.tree {
			trees = append(trees, tree{d, c.blobs.names[r.by], r.demanded})
		}
	}
	return forEach(ctx, parsing, slices.Values(trees), func(ctx context.Context, t tree) error {
		entries, err := c.Store.Tree(ctx, t.digest.String())
		switch {
		case err == nil:
			c.addAll(t.by, t.demanded, files(entries))
		case errors.Is(err, storage.ErrCorrupt) && t.demanded:
			key, _ := storage.BlobKey(t.digest.String()) // it is one
			c.fault(Fault{Key: key, NamedBy: t.by}, err)
		case !storage.MissingOrDamaged(err):
			return err
		}
		return nil
	})
}

// checkBlobs lists the blobs, compares them with what is named, and reads some.
func (c *check) checkBlobs(ctx context.Context) error {
	marked := map[string]bool{}
	for info, err := range c.list(ctx, "quarantine/") {
		if err != nil {
			return err
		}
		marked["blobs/"+strings.TrimPrefix(info.Key, "quarantine/")] = true
	}
	c.sampler = newSampler(c.Read, len(c.blobs.blobs))
	var failed error
	err := forEach(ctx, reading, func(yield func(listedBlob) bool) {
		for info, err := range c.list(ctx, "blobs/") {
			if err != nil {
				failed = err
				return
			}
			if b, ok := c.meet(info); ok && !yield(b) {
				return
			}
		}
	}, func(ctx context.Context, b listedBlob) error { return c.checkListed(ctx, b, marked[b.Key]) })
	return errors.Join(err, failed)
}

// listedBlob is a blob that is there.
type listedBlob struct {
	storage.Info
	digest digest32
	named  reference // the zero reference: by nothing
	read   bool
}

// meet compares an object with what is named. ok is false if it is no blob.
func (c *check) meet(info storage.Info) (b listedBlob, ok bool) {
	d, ok := parseDigest(info.Key[strings.LastIndexByte(info.Key, '/')+1:])
	if key, err := storage.BlobKey(d.String()); !ok || err != nil || key != info.Key {
		c.count(func(r *Report) { r.Unvouched++ })
		return b, false
	}
	var named reference
	c.count(func(r *Report) {
		var known bool
		if named, known = c.blobs.blobs[d]; known {
			named.there = true
			c.blobs.blobs[d] = named
		} else {
			named.size = -1
		}
		if known {
			r.Blobs.add(info.Size)
		} else {
			r.Orphans.add(info.Size)
		}
	})
	return listedBlob{Info: info, digest: d, named: named, read: c.sampler.take(d[0])}, true
}

// checkListed checks a blob that is there.
func (c *check) checkListed(ctx context.Context, b listedBlob, marked bool) (err error) {
	switch {
	case b.named.size >= 0 && b.named.size != b.Size:
		err = &storage.Error{Op: "stat", Key: b.Key, Class: storage.ErrCorrupt, Err: fmt.Errorf("it has %d bytes, not %d", b.Size, b.named.size)}
	case b.read:
		if _, err = c.Store.Verify(ctx, b.digest.String(), b.named.size); err == nil {
			c.count(func(r *Report) { r.Read.add(b.Size) })
		}
	case marked:
		_, err = c.Store.Has(ctx, b.digest.String())
	}
	switch {
	case err == nil, errors.Is(err, storage.ErrNotFound): // a gc took it since; findMissing looks again
		if err != nil {
			c.mu.Lock()
			b.named.there = false
			c.blobs.blobs[b.digest] = b.named
			c.mu.Unlock()
		}
		return nil
	case errors.Is(err, storage.ErrCorrupt):
		f := Fault{Key: b.Key}
		if b.named.demanded {
			f.NamedBy = c.blobs.names[b.named.by]
		}
		c.fault(f, err)
		return nil
	}
	return err
}

// checkBlob checks one blob by itself, and reads it if the subset has it.
func (c *check) checkBlob(ctx context.Context, digest string, size int64) (read bool, err error) {
	d, _ := parseDigest(digest)
	c.mu.Lock()
	read = c.sampler.take(d[0])
	c.mu.Unlock()
	if read {
		_, err = c.Store.Verify(ctx, digest, size)
		return true, err
	}
	got, err := c.Store.Has(ctx, digest)
	if err == nil && size >= 0 && got != size {
		err = &storage.Error{Op: "stat", Key: digest, Class: storage.ErrCorrupt, Err: fmt.Errorf("it has %d bytes, not %d", got, size)}
	}
	return false, err
}

// findMissing looks again for each blob that is named and was not listed: the store
// may have changed meanwhile.
func (c *check) findMissing(ctx context.Context) error {
	missing := func(yield func(digest32) bool) {
		for d, r := range c.blobs.blobs {
			if r.demanded && !r.there && !yield(d) {
				return
			}
		}
	}
	return forEach(ctx, asking, missing, func(ctx context.Context, d digest32) error {
		key, err := storage.BlobKey(d.String())
		if err != nil {
			return err
		}
		_, err = c.Store.Stat(ctx, key)
		if !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		by := c.blobs.names[c.blobs.blobs[d].by]
		if demanded, failed := c.stillDemands(ctx, by); failed != nil || !demanded {
			return failed
		}
		c.fault(Fault{Key: key, NamedBy: by}, err)
		return nil
	})
}

// stillDemands reports whether a record that names blobs is there, and no gc deleted
// what it names since it was read.
func (c *check) stillDemands(ctx context.Context, by string) (bool, error) {
	if !strings.HasPrefix(by, "manifests/") {
		_, err := c.Store.Stat(ctx, by)
		if errors.Is(err, storage.ErrNotFound) {
			return false, nil
		}
		return true, err
	}
	m, err := c.Store.ManifestAt(ctx, by)
	if err == nil {
		_, err = c.Store.Tombstone(ctx, m)
	}
	if storage.MissingOrDamaged(err) || errors.Is(err, storage.ErrUntrusted) {
		return true, nil
	}
	return false, err
}
