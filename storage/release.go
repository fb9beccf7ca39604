package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Release is a published model: an immutable version of a name.
type Release struct {
	Name    string      `json:"name"`
	Version int         `json:"version"`
	Digest  string      `json:"digest"` // of the release's tree
	Files   []TreeEntry `json:"files"`
	// Meta is what the publisher recorded: run, date, device.
	Meta json.RawMessage `json:"meta,omitempty"`
}

// Alias is a movable name of a version.
type Alias struct {
	Version int       `json:"version"`
	Moved   time.Time `json:"moved"`
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// ValidName reports whether a model or alias may have that name.
func ValidName(name string) bool { return namePattern.MatchString(name) }

func releaseFolder(name string, version int) string {
	return fmt.Sprintf("models/%s/%d/", name, version)
}

// PutRelease publishes a tree as the next version of a name and returns the
// version. The same tree keeps the version it has. Versions are claimed by an
// exclusive create and become visible by their release.json, written last; a
// claim left by a crash is completed by the next publish of the same tree and
// skipped by any other. What of a release cannot be verified any more, its
// record, its claim or the copies of its files, the next publish of the same
// tree makes anew: one that can be verified is never replaced.
func (s *Store) PutRelease(ctx context.Context, name string, tree Artifact, meta []byte) (Release, error) {
	if !ValidName(name) {
		return Release{}, fmt.Errorf("storage: %q is no model name: use a-z, 0-9, dot, dash and underscore", name)
	}
	entries, err := s.Tree(ctx, tree.Digest)
	if err != nil {
		return Release{}, err
	}
	version, err := s.claim(ctx, name, tree.Digest)
	if err != nil {
		return Release{}, err
	}
	for _, e := range entries {
		if err := s.copyFile(ctx, releaseFileKey(name, version, e.Path), e); err != nil {
			return Release{}, err
		}
	}
	return s.record(ctx, Release{Name: name, Version: version, Digest: tree.Digest, Files: entries, Meta: meta})
}

// releaseFileKey is the key of the copy of a release's file; it is lower case
// like all keys.
func releaseFileKey(name string, version int, path string) string {
	return releaseFolder(name, version) + "files/" + strings.ToLower(path)
}

// claim returns the version of a name that is a tree's, the next one if none is.
func (s *Store) claim(ctx context.Context, name, digest string) (int, error) {
	owners, err := s.owners(ctx, name)
	if err != nil {
		return 0, err
	}
	version, last := 0, 0
	for v, owner := range owners {
		if last = max(last, v); owner == digest && (version == 0 || v < version) {
			version = v
		}
	}
	if version > 0 {
		return version, s.mendClaim(ctx, name, version, digest)
	}
	for version = last + 1; ; version++ {
		if taken, err := s.take(ctx, name, version, digest); err != nil || taken {
			return version, err
		}
	}
}

// take claims a version for a tree, or finds it claimed for that tree or not to
// be had. A claim cut short, of a release that nobody ever saw, is replaced.
func (s *Store) take(ctx context.Context, name string, version int, digest string) (bool, error) {
	key := releaseFolder(name, version) + "claim"
	for range 20 {
		err := s.Create(ctx, key, []byte(digest))
		if err == nil || !errors.Is(err, ErrExists) {
			return err == nil, err
		}
		there, at, err := s.Read(ctx, key)
		if err == nil {
			return string(there) == digest, nil
		}
		if !errors.Is(err, ErrCorrupt) || at == "" {
			return false, err
		}
		if _, _, err := s.releaseAt(ctx, name, version); !errors.Is(err, ErrNotFound) {
			if err == nil || errors.Is(err, ErrCorrupt) {
				return false, nil
			}
			return false, err
		}
		if _, err := s.Swap(ctx, key, at, []byte(digest)); !errors.Is(err, ErrStale) {
			return err == nil, err
		}
	}
	return false, &Error{Op: "claim", Key: key, Class: ErrTransient}
}

// mendClaim replaces the claim of a version that is a tree's by its release, if
// the claim itself cannot be read.
func (s *Store) mendClaim(ctx context.Context, name string, version int, digest string) error {
	key := releaseFolder(name, version) + "claim"
	_, at, err := s.Read(ctx, key)
	if err == nil || !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCorrupt) {
		return err
	}
	if _, err = s.Swap(ctx, key, at, []byte(digest)); errors.Is(err, ErrStale) {
		return nil // another publisher of the tree was faster
	}
	return err
}

// record writes the record of a release unless a good one is there, which it
// returns.
func (s *Store) record(ctx context.Context, r Release) (Release, error) {
	body, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return Release{}, err
	}
	key := releaseFolder(r.Name, r.Version) + "release.json"
	for range 20 {
		there, at, err := s.releaseAt(ctx, r.Name, r.Version)
		switch {
		case err == nil && there.Digest != r.Digest:
			return Release{}, &Error{Op: "publish", Key: key, Class: ErrCorrupt, Err: fmt.Errorf("the version was claimed for %s and holds the release of %s", r.Digest, there.Digest)}
		case err == nil:
			return there, nil
		case errors.Is(err, ErrCorrupt) && at != "":
			s.Logger().Warn("record of a release is broken and is written anew", "model", r.Name, "version", r.Version, "error", err)
		case !errors.Is(err, ErrNotFound):
			return Release{}, err
		}
		if _, err = s.Swap(ctx, key, at, body); !errors.Is(err, ErrStale) {
			return r, err
		}
	}
	return Release{}, &Error{Op: "publish", Key: key, Class: ErrTransient}
}

// copyFile puts a file of a release under a second key, unless it is there.
func (s *Store) copyFile(ctx context.Context, key string, e TreeEntry) error {
	from, err := BlobKey(e.Digest)
	if err != nil {
		return err
	}
	there, _, err := s.Digest(ctx, key)
	if err == nil && there == e.Digest {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return s.Copy(ctx, key, from, e.Size)
}

// versions returns the numbers that a name has folders of, in no order.
func (s *Store) versions(ctx context.Context, name string) ([]int, error) {
	var out []int
	for folder, err := range s.Folders(ctx, "models/"+name+"/") {
		if err != nil {
			return nil, err
		}
		if v, err := strconv.Atoi(folder); err == nil {
			out = append(out, v)
		}
	}
	return out, nil
}

// owners returns of every taken version of a name the digest of its tree: that
// of its release, or while there is none that can be read, that of its claim.
// It is empty if neither can be: the number is taken, by whom nobody knows. A
// version without a release whose claim cannot be read is not taken.
func (s *Store) owners(ctx context.Context, name string) (map[int]string, error) {
	versions, err := s.versions(ctx, name)
	if err != nil {
		return nil, err
	}
	owners := map[int]string{}
	for _, v := range versions {
		r, _, broken := s.releaseAt(ctx, name, v)
		if broken == nil {
			owners[v] = r.Digest
			continue
		}
		if !errors.Is(broken, ErrNotFound) && !errors.Is(broken, ErrCorrupt) {
			return nil, broken
		}
		body, _, err := s.Read(ctx, releaseFolder(name, v)+"claim")
		switch {
		case err == nil:
			owners[v] = string(body)
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotFound):
			return nil, err
		case errors.Is(broken, ErrCorrupt):
			s.Logger().Warn("a release and its claim are broken, its version is passed over", "model", name, "version", v, "error", broken)
			owners[v] = ""
		}
	}
	return owners, nil
}

// releaseAt reads the record of a release. A corrupt one has a version as well,
// so that a Swap can replace it.
func (s *Store) releaseAt(ctx context.Context, name string, version int) (Release, string, error) {
	key := releaseFolder(name, version) + "release.json"
	body, at, err := s.Read(ctx, key)
	if err != nil {
		return Release{}, at, err
	}
	var r Release
	err = json.Unmarshal(body, &r)
	if err == nil {
		err = checkTree(r.Files)
	}
	if err == nil {
		_, err = BlobKey(r.Digest)
	}
	if err == nil && (r.Name != name || r.Version != version) {
		err = fmt.Errorf("it is the release %s@%d", r.Name, r.Version)
	}
	if err != nil {
		return Release{}, at, &Error{Op: "read release", Key: key, Class: ErrCorrupt, Err: err}
	}
	return r, at, nil
}

// Release returns the release that a version number or an alias names; an empty
// one means the alias latest.
func (s *Store) Release(ctx context.Context, name, versionOrAlias string) (Release, error) {
	if !ValidName(name) {
		return Release{}, fmt.Errorf("storage: %q is no model name", name)
	}
	if versionOrAlias == "" {
		versionOrAlias = "latest"
	}
	version, err := strconv.Atoi(versionOrAlias)
	if err != nil {
		alias, _, err := s.alias(ctx, name, versionOrAlias)
		if err != nil {
			return Release{}, err
		}
		version = alias.Version
	}
	r, _, err := s.releaseAt(ctx, name, version)
	return r, err
}

// Releases returns all releases of a name by version.
func (s *Store) Releases(ctx context.Context, name string) ([]Release, error) {
	versions, err := s.versions(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []Release
	for _, v := range versions {
		r, _, err := s.releaseAt(ctx, name, v)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Release) int { return a.Version - b.Version })
	return out, nil
}

func aliasKey(name, alias string) string { return "models/" + name + "/aliases/" + alias }

func (s *Store) alias(ctx context.Context, name, alias string) (Alias, string, error) {
	if !ValidName(alias) {
		return Alias{}, "", fmt.Errorf("storage: %q is no alias", alias)
	}
	body, version, err := s.Read(ctx, aliasKey(name, alias))
	if err != nil {
		return Alias{}, version, err
	}
	var a Alias
	if err := json.Unmarshal(body, &a); err != nil {
		return Alias{}, version, &Error{Op: "read alias", Key: aliasKey(name, alias), Class: ErrCorrupt, Err: err}
	}
	return a, version, nil
}

// Aliases returns the aliases of a name.
func (s *Store) Aliases(ctx context.Context, name string) (map[string]Alias, error) {
	out := map[string]Alias{}
	prefix := "models/" + name + "/aliases/"
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		alias := strings.TrimPrefix(info.Key, prefix)
		a, _, err := s.alias(ctx, name, alias)
		if err != nil {
			return nil, err
		}
		out[alias] = a
	}
	return out, nil
}

// AliasVersion returns the version that an alias names; 0 if there is no alias
// that could be read.
func (s *Store) AliasVersion(ctx context.Context, name, alias string) (int, error) {
	a, _, err := s.alias(ctx, name, alias)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
		return 0, nil
	}
	return a.Version, err
}

// SetAlias moves an alias to a version that exists.
func (s *Store) SetAlias(ctx context.Context, name, alias string, version int) error {
	_, err := s.moveAlias(ctx, name, alias, version, func(int) bool { return false })
	return err
}

// AdvanceAlias is SetAlias for a publisher that saw the alias name the version
// seen before (0: none) and may have been paused since: an alias that another
// publisher has moved to a later version than its own stays. It returns the
// version that the alias names in the end.
func (s *Store) AdvanceAlias(ctx context.Context, name, alias string, version, seen int) (int, error) {
	return s.moveAlias(ctx, name, alias, version, func(now int) bool { return now != seen && now > version })
}

func (s *Store) moveAlias(ctx context.Context, name, alias string, version int, stays func(now int) bool) (int, error) {
	if _, err := strconv.Atoi(alias); err == nil || !ValidName(alias) {
		return 0, fmt.Errorf("storage: %q is no alias: use a word, not a number", alias)
	}
	if _, _, err := s.releaseAt(ctx, name, version); err != nil {
		return 0, err
	}
	body, err := json.Marshal(Alias{Version: version, Moved: time.Now().UTC()})
	if err != nil {
		return 0, err
	}
	for range 20 {
		now, at, err := s.alias(ctx, name, alias)
		if err != nil && !errors.Is(err, ErrNotFound) && !(errors.Is(err, ErrCorrupt) && at != "") {
			return 0, err
		}
		if err == nil && (now.Version == version || stays(now.Version)) {
			return now.Version, nil
		}
		if _, err = s.Swap(ctx, aliasKey(name, alias), at, body); !errors.Is(err, ErrStale) {
			return version, err
		}
	}
	return 0, &Error{Op: "move alias", Key: aliasKey(name, alias), Class: ErrTransient}
}
