// Package hf shows releases in a repository of the Hugging Face hub, by its commit API: a
// commit and a tag v1, v2 for each version, a tag for each alias.
//
// hf.go reads and moves what names a release, commit.go makes the commit, upload.go sends
// large files.
package hf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
)

// markerPath is the file of a repository by which the release in it is known again.
const markerPath = ".sprint-release.json"

// marker is what that file says.
type marker struct {
	Model   string   `json:"model"`
	Version int      `json:"version"`
	Digest  string   `json:"digest"` // of the release's tree
	Files   []string `json:"files"`  // so that the next release takes away what it has not got
}

// Registry is one repository of the hub.
type Registry struct {
	client      *rest.Client
	base        string
	owner, name string
}

// New makes the registry of a repository OWNER/NAME at the hub with that address, which
// client asks.
func New(client *rest.Client, base, owner, name string) *Registry {
	return &Registry{client, base, owner, name}
}

func (r *Registry) repo() string { return url.PathEscape(r.owner) + "/" + url.PathEscape(r.name) }

// refs are the commits that the branch main and the tags of the repository name.
type refs struct {
	main string // empty if nothing was committed
	tags map[string]string
}

func (r *Registry) refs(ctx context.Context) (refs, error) {
	type ref struct {
		Name   string `json:"name"`
		Commit string `json:"targetCommit"`
	}
	var answer struct {
		Branches []ref `json:"branches"`
		Tags     []ref `json:"tags"`
	}
	err := r.client.Call(ctx, http.MethodGet, "/api/models/"+r.repo()+"/refs", nil, &answer)
	out := refs{tags: map[string]string{}}
	for _, b := range answer.Branches {
		if b.Name == "main" {
			out.main = b.Commit
		}
	}
	for _, t := range answer.Tags {
		out.tags[t.Name] = t.Commit
	}
	return out, err
}

// marker reads which release a commit holds; the zero marker if it is none of ours.
func (r *Registry) marker(ctx context.Context, commit string) (marker, error) {
	var data []byte
	err := r.client.Do(ctx, http.MethodGet, "/"+r.repo()+"/resolve/"+url.PathEscape(commit)+"/"+markerPath, nil, nil, &data)
	if rest.Is(err, http.StatusNotFound, "") {
		return marker{}, nil
	}
	var m marker
	_ = json.Unmarshal(data, &m) // what is none of ours has no digest
	return m, err
}

// versionTag is the tag of a version.
func versionTag(version int) string { return "v" + strconv.Itoa(version) }

// Push makes the commit of a release, then its tag. A commit that was cut short is not there;
// one without its tag is found as what main names.
func (r *Registry) Push(ctx context.Context, release mirror.Release) error {
	there, err := r.refs(ctx)
	if rest.Is(err, http.StatusNotFound, "") {
		// Whoever wants others to see it makes it public there.
		err = r.client.Call(ctx, http.MethodPost, "/api/repos/create", map[string]any{"type": "model", "organization": r.owner, "name": r.name, "visibility": "private"}, nil)
		if rest.Is(err, http.StatusConflict, "") {
			err = nil
		}
		if err == nil {
			there, err = r.refs(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("repository %s: %w", r.repo(), err)
	}
	tag := versionTag(release.Version)
	if commit, ok := there.tags[tag]; ok {
		m, err := r.marker(ctx, commit)
		if err == nil && m.Digest != release.Digest {
			err = release.CheckOwner(ctx, "tag "+tag, m.Digest)
		}
		if err == nil && m.Digest != release.Digest {
			err = &mirror.ForeignError{Name: "tag " + tag, There: "the commit " + commit}
		}
		return err
	}
	commit, before := there.main, marker{}
	if commit != "" {
		if before, err = r.marker(ctx, commit); err == nil {
			err = release.CheckOwner(ctx, "branch main", before.Digest)
		}
		if err != nil {
			return err
		}
	}
	if before.Digest != release.Digest {
		if commit, err = r.commit(ctx, release, there.main, before.Files); err != nil {
			return err
		}
	}
	if err := r.tag(ctx, tag, commit); err != nil {
		return fmt.Errorf("write the tag of the version: %w", err)
	}
	return nil
}

// Point moves the tag of an alias. The hub moves none: it is deleted and made again.
func (r *Registry) Point(ctx context.Context, alias string, release mirror.Release) (string, error) {
	there, err := r.refs(ctx)
	if err != nil {
		return "", err
	}
	to, ok := there.tags[versionTag(release.Version)]
	if !ok {
		return "", errors.New("the tag of the version is gone since it was pushed")
	}
	was := ""
	if commit, ok := there.tags[alias]; ok {
		m, err := r.marker(ctx, commit)
		if err != nil || m.Digest == release.Digest {
			return m.Digest, err
		}
		if err := release.CheckOwner(ctx, "tag "+alias, m.Digest); err != nil {
			return "", err
		}
		if was = m.Digest; was == "" {
			was = "the commit " + commit
		}
		if err := r.client.Call(ctx, http.MethodDelete, "/api/models/"+r.repo()+"/tag/"+url.PathEscape(alias), nil, nil); err != nil {
			return was, fmt.Errorf("delete the tag of the alias: %w", err)
		}
	}
	if err := r.tag(ctx, alias, to); err != nil {
		return was, fmt.Errorf("write the tag of the alias: %w", err)
	}
	return was, nil
}

func (r *Registry) tag(ctx context.Context, tag, commit string) error {
	return r.client.Call(ctx, http.MethodPost, "/api/models/"+r.repo()+"/tag/"+url.PathEscape(commit), map[string]any{"tag": tag}, nil)
}

var _ mirror.Registry = (*Registry)(nil)
