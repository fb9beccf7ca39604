package integrity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// registry is what a check found of models.
type registry struct {
	published []publication
	releases  map[string]string  // digests of trees by release; empty if the record cannot be read
	aliases   map[release]string // keys of aliases by the release that they name
	known     map[string]bool    // keys of aliases, readable or not
	newest    map[string]int     // of the releases of a name
	moves     map[string]bool    // keys of past moves, readable or not
	follow    map[string]string  // keys of moves that another follows, with the key of that
}

// publication is what the work of a manifest left in the registry.
type publication struct {
	models.Publication
	by string // the manifest's key
}

// release is a version of a model.
type release struct {
	model   string
	version int
}

func newRegistry() registry {
	return registry{releases: map[string]string{}, aliases: map[release]string{}, known: map[string]bool{}, newest: map[string]int{}, moves: map[string]bool{}, follow: map[string]string{}}
}

func releaseFolder(model string, version int) string {
	return fmt.Sprintf("models/%s/%d/", model, version)
}

func aliasKey(model, alias string) string { return "models/" + model + "/aliases/" + alias }

// readModels reads the registry, a folder models/NAME/VERSION, models/NAME/aliases or
// models/NAME/history at a time.
func (c *check) readModels(ctx context.Context) error {
	var failed error
	err := forEach(ctx, asking, func(yield func([]storage.Info) bool) {
		var folder []storage.Info
		at := ""
		for info, err := range c.list(ctx, "models/") {
			if err != nil {
				failed = err
				return
			}
			parts := strings.SplitN(info.Key, "/", 4)
			if len(parts) < 4 {
				c.unvouched()
				continue
			}
			if now := parts[1] + "/" + parts[2]; now != at {
				if len(folder) > 0 && !yield(folder) {
					return
				}
				folder, at = nil, now
			}
			folder = append(folder, info)
		}
		if len(folder) > 0 {
			yield(folder)
		}
	}, func(ctx context.Context, folder []storage.Info) error {
		parts := strings.SplitN(folder[0].Key, "/", 4)
		if err := misnamed(parts[1], parts[2]); err != nil {
			c.foreign(strings.Join(parts[:3], "/")+"/", err)
			return nil
		}
		switch parts[2] {
		case "aliases":
			return c.readAliases(ctx, parts[1], folder)
		case "history":
			return c.readHistory(ctx, parts[1], folder)
		case "mirrors":
			return c.readMirrors(ctx, folder)
		}
		version, _ := models.ParseVersion(parts[2]) // it is one
		return c.readRelease(ctx, release{parts[1], version}, folder)
	})
	return errors.Join(err, failed)
}

// readMirrors reads what is known of the mirrors of a model.
func (c *check) readMirrors(ctx context.Context, all []storage.Info) error {
	for _, info := range all {
		if strings.Count(info.Key, "/") != 3 {
			c.unvouched()
			continue
		}
		_, _, err := c.Store.Read(ctx, info.Key)
		if err := c.read(info, err); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) readAliases(ctx context.Context, model string, all []storage.Info) error {
	for _, info := range all {
		if strings.Count(info.Key, "/") != 3 {
			c.unvouched()
			continue
		}
		if !models.ValidAlias(path.Base(info.Key)) {
			c.foreign(info.Key, errAlias)
			continue
		}
		a, err := models.In(c.Store).Alias(ctx, model, path.Base(info.Key))
		c.mu.Lock()
		c.models.known[info.Key] = true
		if err == nil {
			c.models.aliases[release{model, a.Version}] = info.Key
			c.models.noteMove(model, path.Base(info.Key), info.Key, a)
		}
		c.mu.Unlock()
		if err := c.read(info, err); err != nil {
			return err
		}
	}
	return nil
}

// readRelease reads the record of a release and compares the folder with it.
func (c *check) readRelease(ctx context.Context, of release, folder []storage.Info) error {
	at := releaseFolder(of.model, of.version)
	there := map[string]storage.Info{}
	for _, info := range folder {
		there[strings.TrimPrefix(info.Key, at)] = info
	}
	if claim, ok := there["claim"]; ok {
		_, _, err := c.Store.Read(ctx, claim.Key)
		if err := c.read(claim, err); err != nil {
			return err
		}
	}
	record, ok := there["release.json"]
	var r models.Release
	err := error(&storage.Error{Class: storage.ErrNotFound})
	if ok {
		r, err = models.In(c.Store).ReleaseAt(ctx, of.model, of.version)
		c.mu.Lock()
		c.models.releases[at] = r.Digest
		c.models.newest[of.model] = max(c.models.newest[of.model], of.version)
		c.mu.Unlock()
		if err := c.read(record, err); err != nil {
			return err
		}
	}
	if err == nil {
		if err := c.compareListing(ctx, record.Key, r); err != nil {
			return err
		}
		c.addAll(record.Key, true, append(files(r.Files), storage.Artifact{Digest: r.Digest, Size: -1, Media: storage.MediaTree}))
		if _, claimed := there["claim"]; !claimed {
			err = c.demand(ctx, Fault{Key: at + "claim", NamedBy: record.Key})
		}
	}
	if err != nil && !storage.MissingOrDamaged(err) && !errors.Is(err, storage.ErrUntrusted) {
		return err
	}
	return c.checkCopies(ctx, of, r, folder)
}

// compareListing demands that a release's record lists the files of its tree: readers take
// them from the record, digests of the whole are of the tree.
func (c *check) compareListing(ctx context.Context, key string, r models.Release) error {
	entries, err := c.Store.Tree(ctx, r.Digest)
	if storage.MissingOrDamaged(err) {
		return nil // which is a fault of the tree
	}
	if err != nil || slices.Equal(entries, r.Files) {
		return err
	}
	c.mu.Lock()
	c.unnoticed[key] = true
	c.mu.Unlock()
	c.fault(Fault{Key: key, Problem: Damaged}, errors.New("it lists other files than its tree: "+strings.Join(differing(r.Files, entries), ", ")))
	return nil
}

// mostDiffering is how many files a fault names.
const mostDiffering = 3

// differing names the files that one of two listings alone has as it has them.
func differing(a, b []storage.TreeEntry) []string {
	in := map[storage.TreeEntry]int{}
	for _, e := range a {
		in[e]++
	}
	for _, e := range b {
		in[e]--
	}
	paths := map[string]bool{}
	for e, n := range in {
		if n != 0 {
			paths[e.Path] = true
		}
	}
	all := slices.Sorted(maps.Keys(paths))
	if len(all) > mostDiffering {
		all = append(all[:mostDiffering], fmt.Sprintf("and %d more", len(all)-mostDiffering))
	}
	return all
}

// checkCopies compares the copies of a release's files with its record. Where there is
// none that can be read they are a release in the making, or orphans.
func (c *check) checkCopies(ctx context.Context, of release, r models.Release, folder []storage.Info) error {
	at := releaseFolder(of.model, of.version)
	want := map[string][]storage.TreeEntry{} // several where paths differ in case alone
	for _, e := range r.Files {
		key := models.FileKey(of.model, of.version, e.Path)
		want[key] = append(want[key], e)
	}
	for _, info := range folder {
		entries := want[info.Key]
		delete(want, info.Key)
		switch {
		case info.Key == at+"claim", info.Key == at+"release.json":
			continue
		case !strings.HasPrefix(info.Key, at+"files/"):
			c.unvouched()
			continue
		case len(entries) == 0:
			c.count(func(r *Report) { r.Orphans.add(info.Size) })
			continue
		}
		if err := c.checkCopy(ctx, info, entries); err != nil {
			return err
		}
	}
	for key := range want {
		if err := c.demand(ctx, Fault{Key: key, NamedBy: at + "release.json"}); err != nil {
			return err
		}
	}
	return nil
}

// checkCopy checks a copy that is there, and reads it if the subset has it.
func (c *check) checkCopy(ctx context.Context, info storage.Info, entries []storage.TreeEntry) (err error) {
	d, _ := parseDigest(entries[0].Digest)
	c.mu.Lock()
	read := c.copies.take(d[0])
	c.mu.Unlock()
	got := ""
	if read {
		if got, _, err = c.Store.Digest(ctx, info.Key); err != nil {
			return c.read(info, err)
		}
	}
	same := false
	for _, e := range entries {
		same = same || e.Size == info.Size && (!read || e.Digest == got)
	}
	if !same {
		err := fmt.Errorf("it has %d bytes, not %d", info.Size, entries[0].Size)
		if entries[0].Size == info.Size {
			err = fmt.Errorf("its bytes have digest %s, want %s", got, entries[0].Digest)
		}
		c.fault(Fault{Key: info.Key, Problem: Damaged, NamedBy: path.Dir(info.Key)}, err)
		return nil
	}
	c.count(func(r *Report) {
		r.Copies.add(info.Size)
		if read {
			r.Read.add(info.Size)
		}
	})
	return nil
}

// demand records a fault unless its object is there after all.
func (c *check) demand(ctx context.Context, f Fault) error {
	_, err := c.Store.Stat(ctx, f.Key)
	if errors.Is(err, storage.ErrNotFound) {
		c.fault(f, err)
		return nil
	}
	return err
}

// checkModels demands what publishes and aliases name.
func (c *check) checkModels(ctx context.Context) error {
	for _, p := range c.models.published {
		if key := aliasKey(p.Name, p.Alias); !c.models.known[key] {
			if err := c.demand(ctx, Fault{Key: key, NamedBy: p.by}); err != nil {
				return err
			}
		}
		if p.Version == 0 {
			continue
		}
		record := releaseFolder(p.Name, p.Version) + "release.json"
		switch digest, there := c.models.releases[releaseFolder(p.Name, p.Version)]; {
		case !there:
			if err := c.demand(ctx, Fault{Key: record, NamedBy: p.by}); err != nil {
				return err
			}
		case digest != "" && digest != p.Digest:
			c.fault(Fault{Key: record, Problem: Damaged, NamedBy: p.by}, fmt.Errorf("it is the release of %s, not of %s, which was published", digest, p.Digest))
		}
	}
	for of, alias := range c.models.aliases {
		if _, there := c.models.releases[releaseFolder(of.model, of.version)]; there {
			continue
		}
		if err := c.demand(ctx, Fault{Key: releaseFolder(of.model, of.version) + "release.json", NamedBy: alias}); err != nil {
			return err
		}
	}
	return c.checkHistory(ctx)
}
