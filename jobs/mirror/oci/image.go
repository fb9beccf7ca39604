package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/storage"
)

// The annotations of an image by which its release is known again.
const (
	annotationDigest  = "sprint.release.digest" // of the release's tree
	annotationModel   = "sprint.release.model"
	annotationVersion = "sprint.release.version"
)

// annotations are those of all manifests of a release.
func annotations(r mirror.Release) map[string]string {
	return map[string]string{annotationDigest: r.Digest, annotationModel: r.Name, annotationVersion: strconv.Itoa(r.Version),
		ocispec.AnnotationTitle: r.Name, ocispec.AnnotationVersion: strconv.Itoa(r.Version)}
}

// pushImage sends the image of a release, which has no tag yet.
func (r *Registry) pushImage(ctx context.Context, release mirror.Release) (ocispec.Descriptor, error) {
	desc, err := describeLayer(ctx, release)
	if err != nil {
		return desc, err
	}
	if err := r.blob(ctx, desc, func() io.ReadCloser { return layer(ctx, release) }); err != nil {
		return desc, fmt.Errorf("send the layer: %w", err)
	}
	// Nothing in it is a program: the platform stands there because an image must have one.
	config, err := json.Marshal(ocispec.Image{
		Platform: ocispec.Platform{Architecture: "amd64", OS: "linux"},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{desc.Digest}},
	})
	if err != nil {
		return desc, err
	}
	about, err := r.bytes(ctx, ocispec.MediaTypeImageConfig, config)
	if err != nil {
		return desc, fmt.Errorf("send the image's config: %w", err)
	}
	image, err := r.manifest(ctx, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: about, Layers: []ocispec.Descriptor{desc}, Annotations: annotations(release),
	})
	if err != nil {
		return image, fmt.Errorf("send the manifest: %w", err)
	}
	return image, nil
}

// referrer is a file of a release that refers to its image too, so that it is read without
// the layer.
type referrer struct{ path, artifactType, mediaType string }

var referrers = []referrer{
	{"README.md", "application/vnd.sprint.card.v1", "text/markdown"},
	{"model.sig", "application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle.v0.3+json"},
}

// maxReferrer is what a file may have to become a referrer, in bytes.
const maxReferrer = 16 << 20

// pushReferrers sends the referrers of an image that it has not got.
func (r *Registry) pushReferrers(ctx context.Context, release mirror.Release, image ocispec.Descriptor) error {
	for _, one := range referrers {
		at := slices.IndexFunc(release.Files, func(e storage.TreeEntry) bool { return e.Path == one.path })
		if at < 0 || release.Files[at].Size > maxReferrer {
			continue
		}
		there, err := r.hasReferrer(ctx, image, one.artifactType)
		if err == nil && !there {
			err = r.refer(ctx, release, release.Files[at], one, image)
		}
		if err != nil {
			return fmt.Errorf("referrer %s: %w", one.path, err)
		}
	}
	return nil
}

func (r *Registry) refer(ctx context.Context, release mirror.Release, e storage.TreeEntry, as referrer, image ocispec.Descriptor) error {
	from, err := release.Open(ctx, e)
	if err != nil {
		return err
	}
	defer from.Close()
	data, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	empty, err := r.bytes(ctx, ocispec.MediaTypeEmptyJSON, []byte("{}"))
	if err != nil {
		return err
	}
	file, err := r.bytes(ctx, as.mediaType, data)
	if err != nil {
		return err
	}
	file.Annotations = map[string]string{ocispec.AnnotationTitle: as.path}
	subject := ocispec.Descriptor{MediaType: image.MediaType, Digest: image.Digest, Size: image.Size}
	_, err = r.manifest(ctx, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: as.artifactType,
		Config: empty, Layers: []ocispec.Descriptor{file}, Subject: &subject, Annotations: annotations(release),
	})
	return err
}
