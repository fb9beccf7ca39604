// Package oci shows releases as images in a registry of containers: one layer with the files
// in /models, a tag for each version and each alias, and the card and the signature as
// referrers of the image.
//
// oci.go talks to the registry, image.go makes the manifests, layer.go the layer.
package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sprint-ml/sprint/jobs/mirror"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Options of a Registry. The zero value asks by https, without an account.
type Options struct {
	User, Secret string // a Secret without User is a token
	Plain        bool   // http
	// Transport carries requests; nil is the default one. Requests that may be repeated are
	// tried again.
	Transport http.RoundTripper
}

// maxManifest is what a manifest of the registry may have, in bytes.
const maxManifest = 4 << 20

// Registry is one repository of a registry of containers.
type Registry struct{ repo *remote.Repository }

// New makes the registry of a repository, HOST/PATH. It asks nothing.
func New(reference string, o Options) (*Registry, error) {
	repo, err := remote.NewRepository(reference)
	if err != nil || repo.Reference.Reference != "" {
		return nil, fmt.Errorf("%.120q is no repository of a registry of containers: want HOST/PATH, without a tag", reference)
	}
	credential := auth.Credential{Username: o.User, Password: o.Secret}
	if o.User == "" {
		credential = auth.Credential{AccessToken: o.Secret}
	}
	repo.Client = &auth.Client{
		Client: &http.Client{Transport: retry.NewTransport(o.Transport)}, Cache: auth.NewCache(),
		Credential: auth.StaticCredential(repo.Reference.Host(), credential), Header: http.Header{"User-Agent": {"sprint"}},
	}
	repo.PlainHTTP, repo.MaxMetadataBytes = o.Plain, maxManifest
	repo.SkipReferrersGC = true // whoever may push need not have the right to delete
	return &Registry{repo}, nil
}

// Push sends what is not there, names before what they name: the tag of the version comes
// last.
func (r *Registry) Push(ctx context.Context, release mirror.Release) error {
	tag := strconv.Itoa(release.Version)
	there, found, err := r.tagged(ctx, tag)
	if err != nil {
		return err
	}
	if found && there.digest != release.Digest {
		if err := release.CheckOwner(ctx, "tag "+tag, there.digest); err != nil {
			return err
		}
		return &mirror.ForeignError{Name: "tag " + tag, There: there.String()}
	}
	image := there.desc
	if !found {
		if image, err = r.pushImage(ctx, release); err != nil {
			return err
		}
	}
	// An image of an earlier sprint may lack a referrer of today's.
	if err := r.pushReferrers(ctx, release, image); err != nil || found {
		return err
	}
	return r.tag(ctx, image, tag)
}

// Point moves the tag of an alias.
func (r *Registry) Point(ctx context.Context, alias string, release mirror.Release) (string, error) {
	was, found, err := r.tagged(ctx, alias)
	if err != nil || found && was.digest == release.Digest {
		return was.digest, err
	}
	if err := release.CheckOwner(ctx, "tag "+alias, was.digest); err != nil {
		return "", err
	}
	version := strconv.Itoa(release.Version)
	to, pushed, err := r.tagged(ctx, version)
	if err != nil {
		return "", err
	}
	if !pushed || to.digest != release.Digest {
		return "", fmt.Errorf("%s is gone since it was pushed", called(version))
	}
	if err := r.tag(ctx, to.desc, alias); err != nil || !found {
		return "", err
	}
	if was.digest == "" {
		return was.String(), nil
	}
	return was.digest, nil
}

// tagged is what a tag names.
type tagged struct {
	desc   ocispec.Descriptor
	digest string // of the release's tree; empty if it is no release
}

func (t tagged) String() string {
	if t.digest != "" {
		return "the release of tree " + t.digest
	}
	return "the image " + t.desc.Digest.String()
}

// tagged reads what a tag names; found is false if there is no such tag.
func (r *Registry) tagged(ctx context.Context, tag string) (t tagged, found bool, err error) {
	desc, body, err := r.repo.FetchReference(ctx, tag)
	if errors.Is(err, errdef.ErrNotFound) {
		return t, false, nil
	}
	if err != nil {
		return t, false, fmt.Errorf("read %s: %w", called(tag), err)
	}
	defer body.Close()
	if desc.Size > maxManifest {
		return t, false, fmt.Errorf("the manifest of %s has %d bytes, more than one may have", called(tag), desc.Size)
	}
	data, err := content.ReadAll(body, desc)
	if err != nil {
		return t, false, fmt.Errorf("read %s: %w", called(tag), err)
	}
	var m struct {
		Annotations map[string]string `json:"annotations"`
	}
	_ = json.Unmarshal(data, &m) // what is none of ours has no digest of a release
	return tagged{desc, m.Annotations[annotationDigest]}, true, nil
}

func (r *Registry) tag(ctx context.Context, desc ocispec.Descriptor, tag string) error {
	if err := r.repo.Tag(ctx, desc, tag); err != nil {
		return fmt.Errorf("write %s: %w", called(tag), err)
	}
	return nil
}

// called is what errors call a tag: whoever hears of one is told of which release, or alias.
func called(tag string) string {
	if _, err := strconv.Atoi(tag); err == nil {
		return "the tag of the version"
	}
	return "the tag of the alias"
}

// blob sends a blob that is not there.
func (r *Registry) blob(ctx context.Context, desc ocispec.Descriptor, open func() io.ReadCloser) error {
	there, err := r.repo.Blobs().Exists(ctx, desc)
	if err != nil || there {
		return err
	}
	body := open()
	defer body.Close()
	return r.repo.Blobs().Push(ctx, desc, body)
}

// bytes sends a small blob.
func (r *Registry) bytes(ctx context.Context, mediaType string, data []byte) (ocispec.Descriptor, error) {
	desc := content.NewDescriptorFromBytes(mediaType, data)
	there, err := r.repo.Blobs().Exists(ctx, desc)
	if err != nil || there {
		return desc, err
	}
	return desc, r.repo.Blobs().Push(ctx, desc, bytes.NewReader(data))
}

// manifest sends a manifest without a tag.
func (r *Registry) manifest(ctx context.Context, m ocispec.Manifest) (ocispec.Descriptor, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	desc := content.NewDescriptorFromBytes(m.MediaType, data)
	return desc, r.repo.Manifests().Push(ctx, desc, bytes.NewReader(data))
}

// hasReferrer reports whether an image has a referrer of a type for a release.
func (r *Registry) hasReferrer(ctx context.Context, image ocispec.Descriptor, artifactType string) (bool, error) {
	found := false
	err := r.repo.Referrers(ctx, image, artifactType, func(all []ocispec.Descriptor) error {
		found = found || len(all) > 0
		return nil
	})
	return found, err
}

var (
	_ mirror.Registry         = (*Registry)(nil)
	_ registry.ReferrerLister = (*remote.Repository)(nil)
)
