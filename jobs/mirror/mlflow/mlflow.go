// Package mlflow shows releases in the model registry of an MLflow server, by its REST API.
// A version there is known again by the digest in its tags: the server numbers versions
// itself.
//
// mlflow.go registers versions and aliases, artifacts.go brings the files there, run.go finds
// the run that has them.
package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
)

// The tags of a version by which its release is known again.
const (
	tagDigest  = "sprint.digest"
	tagVersion = "sprint.version"
)

// Registry is the registered models of an MLflow server.
type Registry struct {
	client  *rest.Client
	remarks []string
}

// New makes the registry of the server that a client asks.
func New(client *rest.Client) *Registry { return &Registry{client: client} }

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// version is what is read of one.
type version struct {
	Version string `json:"version"`
	Tags    []tag  `json:"tags"`
}

// number is what the server calls a version.
var number = regexp.MustCompile(`^[0-9]{1,18}$`)

// kept is what is kept of a version: a list of many is no heavier than its numbers.
func (v version) kept() (version, error) {
	if !number.MatchString(v.Version) {
		return v, errors.New("the server calls a version by no number")
	}
	digest := v.tag(tagDigest)
	if len(digest) > maxTag {
		digest = "of another form"
	}
	return version{strings.Clone(v.Version), []tag{{tagDigest, strings.Clone(digest)}}}, nil
}

func (v version) tag(key string) string {
	for _, t := range v.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// Push sends the files, then registers the version, which names them: in one request, with
// its tags, so that one cut short is found again or was never there.
func (r *Registry) Push(ctx context.Context, release mirror.Release) error {
	known, err := r.versions(ctx, release.Name)
	if rest.Is(err, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST") {
		err = r.call(ctx, http.MethodPost, "registered-models/create", map[string]any{"name": release.Name}, nil)
		if rest.Is(err, 0, "RESOURCE_ALREADY_EXISTS") {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("registered model %s: %w", release.Name, err)
	}
	if own := r.own(release, known); own != nil {
		return nil
	}
	for _, v := range known {
		if err := release.CheckOwner(ctx, "version "+v.Version, v.tag(tagDigest)); err != nil {
			return err
		}
	}
	source, runID, err := r.source(ctx, release)
	if err != nil {
		return err
	}
	err = r.call(ctx, http.MethodPost, "model-versions/create", map[string]any{
		"name": release.Name, "source": source, "run_id": runID, "description": fmt.Sprintf("%s@%d of sprint", release.Name, release.Version),
		"tags": []tag{{tagDigest, release.Digest}, {tagVersion, strconv.Itoa(release.Version)}},
	}, nil)
	if err != nil {
		return fmt.Errorf("register the version: %w", err)
	}
	return nil
}

// own is the version there of a release; nil if there is none. Those of others are told.
func (r *Registry) own(release mirror.Release, known []version) (own *version) {
	for i, v := range known {
		switch v.tag(tagDigest) {
		case release.Digest:
			if own == nil {
				own = &known[i]
			}
		case "":
			r.remark("version %s of %s there is not ours: it is left alone", v.Version, release.Name)
		}
	}
	return own
}

// Point sets the alias.
func (r *Registry) Point(ctx context.Context, alias string, release mirror.Release) (string, error) {
	name := aliasName(alias)
	var answer struct {
		Model struct {
			Aliases []struct {
				Alias   string `json:"alias"`
				Version string `json:"version"`
			} `json:"aliases"`
		} `json:"registered_model"`
	}
	if err := r.call(ctx, http.MethodGet, "registered-models/get?"+url.Values{"name": {release.Name}}.Encode(), nil, &answer); err != nil {
		return "", err
	}
	known, err := r.versions(ctx, release.Name)
	if err != nil {
		return "", err
	}
	own := r.own(release, known)
	if own == nil {
		return "", errors.New("the version is gone since it was pushed")
	}
	was := ""
	for _, a := range answer.Model.Aliases {
		if a.Alias != name {
			continue
		}
		was = "version " + a.Version + " of others"
		for _, v := range known {
			if digest := v.tag(tagDigest); v.Version == a.Version && digest != "" {
				was = digest
				if err := release.CheckOwner(ctx, "alias "+name, digest); err != nil {
					return "", err
				}
			}
		}
		if a.Version == own.Version {
			return was, nil
		}
	}
	if name != alias {
		r.remark("alias %s is called %s there: MLflow keeps that name for itself, or has none like it", alias, name)
	}
	return was, r.call(ctx, http.MethodPost, "registered-models/alias", map[string]any{"name": release.Name, "alias": name, "version": own.Version}, nil)
}

// Names of aliases that MLflow takes, and those of them that it keeps for versions.
var (
	aliasPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	versionPattern = regexp.MustCompile(`^v[0-9]+$`)
)

// aliasName is what an alias is called there.
func aliasName(alias string) string {
	if alias == "latest" || versionPattern.MatchString(alias) || !aliasPattern.MatchString(alias) {
		return "sprint-" + strings.ReplaceAll(alias, ".", "-")
	}
	return alias
}

// What is read of a list of versions.
const (
	maxPages = 100
	pageSize = 200 // versions that are asked for at once, the most that the server gives
	maxTag   = 200 // bytes of a digest
)

// versions lists the versions there of a model, lowest first.
func (r *Registry) versions(ctx context.Context, model string) ([]version, error) {
	if err := r.call(ctx, http.MethodGet, "registered-models/get?"+url.Values{"name": {model}}.Encode(), nil, nil); err != nil {
		return nil, err
	}
	var out []version
	token := ""
	for range maxPages {
		q := url.Values{"filter": {"name='" + model + "'"}, "max_results": {strconv.Itoa(pageSize)}, "order_by": {"version_number ASC"}}
		if token != "" {
			q.Set("page_token", token)
		}
		var page struct {
			Versions []version `json:"model_versions"`
			Next     string    `json:"next_page_token"`
		}
		if err := r.call(ctx, http.MethodGet, "model-versions/search?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		if len(page.Versions) > pageSize {
			return nil, fmt.Errorf("the server lists %d versions of %s where %d were asked for", len(page.Versions), model, pageSize)
		}
		for _, v := range page.Versions {
			kept, err := v.kept()
			if err != nil {
				return nil, err
			}
			out = append(out, kept)
		}
		if token = page.Next; token == "" {
			return out, nil
		}
	}
	return nil, fmt.Errorf("%s has more versions there than %d pages list", model, maxPages)
}

// call asks the API, with a value as the request's body if there is one.
func (r *Registry) call(ctx context.Context, method, path string, in, out any) error {
	return r.client.Call(ctx, method, "/api/2.0/mlflow/"+path, in, out)
}

func (r *Registry) remark(format string, args ...any) {
	r.remarks = append(r.remarks, fmt.Sprintf(format, args...))
}

// Remarks are what was found there and left alone, or called otherwise.
func (r *Registry) Remarks() []string { return r.remarks }

var (
	_ mirror.Registry = (*Registry)(nil)
	_ mirror.Remarker = (*Registry)(nil)
)
