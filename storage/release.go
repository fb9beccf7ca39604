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

	"gocloud.dev/blob"
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
// skipped by any other.
func (s *Store) PutRelease(ctx context.Context, name string, tree Artifact, meta []byte) (Release, error) {
	if !ValidName(name) {
		return Release{}, fmt.Errorf("storage: %q is no model name: use a-z, 0-9, dot, dash and underscore", name)
	}
	entries, err := s.Tree(ctx, tree.Digest)
	if err != nil {
		return Release{}, err
	}
	claims, err := s.claims(ctx, name)
	if err != nil {
		return Release{}, err
	}
	version := 0
	for v, digest := range claims {
		if digest == tree.Digest && (version == 0 || v < version) {
			version = v
		}
	}
	if version == 0 {
		for v := range claims {
			version = max(version, v)
		}
		version++
		for {
			err := s.Create(ctx, releaseFolder(name, version)+"claim", []byte(tree.Digest))
			if err == nil {
				break
			}
			if !errors.Is(err, ErrExists) {
				return Release{}, err
			}
			if digest, _, err := s.Read(ctx, releaseFolder(name, version)+"claim"); err == nil && string(digest) == tree.Digest {
				break
			}
			version++
		}
	}
	if r, err := s.releaseAt(ctx, name, version); err == nil || !errors.Is(err, ErrNotFound) {
		return r, err
	}
	for _, e := range entries {
		if err := s.copyBlob(ctx, releaseFolder(name, version)+"files/"+e.Path, e.Digest); err != nil {
			return Release{}, err
		}
	}
	r := Release{Name: name, Version: version, Digest: tree.Digest, Files: entries, Meta: meta}
	body, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return Release{}, err
	}
	err = s.Create(ctx, releaseFolder(name, version)+"release.json", body)
	if errors.Is(err, ErrExists) {
		return s.releaseAt(ctx, name, version)
	}
	return r, err
}

// copyBlob puts a blob under a second key without sending its bytes again.
// Keys of a release's files are lower case like all keys.
func (s *Store) copyBlob(ctx context.Context, key, digest string) error {
	from, err := BlobKey(digest)
	if err != nil {
		return err
	}
	key = strings.ToLower(key)
	return s.try(ctx, "copy", key, func() error { return s.bucket.Copy(ctx, key, from, &blob.CopyOptions{}) })
}

// claims returns the digest of every claimed version of a name.
func (s *Store) claims(ctx context.Context, name string) (map[int]string, error) {
	claims := map[int]string{}
	for folder, err := range s.Folders(ctx, "models/"+name+"/") {
		if err != nil {
			return nil, err
		}
		v, err := strconv.Atoi(folder)
		if err != nil {
			continue
		}
		body, _, err := s.Read(ctx, releaseFolder(name, v)+"claim")
		switch {
		case err == nil:
			claims[v] = string(body)
		case errors.Is(err, ErrNotFound):
		case errors.Is(err, ErrCorrupt):
			// The number is taken, by whom nobody knows.
			s.log.Warn("claim of a release is broken, its version is passed over", "model", name, "version", v, "error", err)
			claims[v] = ""
		default:
			return nil, err
		}
	}
	return claims, nil
}

func (s *Store) releaseAt(ctx context.Context, name string, version int) (Release, error) {
	key := releaseFolder(name, version) + "release.json"
	body, _, err := s.Read(ctx, key)
	if err != nil {
		return Release{}, err
	}
	var r Release
	if err := json.Unmarshal(body, &r); err != nil {
		return Release{}, &Error{Op: "read release", Key: key, Class: ErrCorrupt, Err: err}
	}
	err = checkTree(r.Files)
	if err == nil && (r.Name != name || r.Version != version) {
		err = fmt.Errorf("it is the release %s@%d", r.Name, r.Version)
	}
	if err != nil {
		return Release{}, &Error{Op: "read release", Key: key, Class: ErrCorrupt, Err: err}
	}
	return r, nil
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
	return s.releaseAt(ctx, name, version)
}

// Releases returns all releases of a name by version.
func (s *Store) Releases(ctx context.Context, name string) ([]Release, error) {
	claims, err := s.claims(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []Release
	for v := range claims {
		r, err := s.releaseAt(ctx, name, v)
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

// SetAlias moves an alias to a version that exists.
func (s *Store) SetAlias(ctx context.Context, name, alias string, version int) error {
	if _, err := strconv.Atoi(alias); err == nil || !ValidName(alias) {
		return fmt.Errorf("storage: %q is no alias: use a word, not a number", alias)
	}
	if _, err := s.releaseAt(ctx, name, version); err != nil {
		return err
	}
	body, err := json.Marshal(Alias{Version: version, Moved: time.Now().UTC()})
	if err != nil {
		return err
	}
	for range 20 {
		now, at, err := s.alias(ctx, name, alias)
		if err != nil && !errors.Is(err, ErrNotFound) && !(errors.Is(err, ErrCorrupt) && at != "") {
			return err
		}
		if err == nil && now.Version == version {
			return nil
		}
		if _, err = s.Swap(ctx, aliasKey(name, alias), at, body); !errors.Is(err, ErrStale) {
			return err
		}
	}
	return &Error{Op: "move alias", Key: aliasKey(name, alias), Class: ErrTransient}
}
