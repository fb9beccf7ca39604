package ocitest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/oci"
)

// Reader looks into a repository of a registry by plain requests.
type Reader struct{ Host, Repository string }

type descriptor struct {
	MediaType    string `json:"mediaType"`
	Digest       string `json:"digest"`
	Size         int    `json:"size"`
	ArtifactType string `json:"artifactType"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
	Manifests     []descriptor `json:"manifests"` // of an index
}

func decode(data []byte, m *manifest) { _ = json.Unmarshal(data, m) }

// Open makes a registry of a mirror for the repository.
func (r *Reader) Open(t *testing.T, transport http.RoundTripper) mirror.Registry {
	t.Helper()
	m, err := oci.New(r.Host+"/"+r.Repository, oci.Options{Plain: true, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (r *Reader) url(path string) string {
	return "http://" + r.Host + "/v2/" + r.Repository + "/" + path
}

// get reads what a path of the repository has; ok is false if that is nothing.
func (r *Reader) get(t *testing.T, path string) (data []byte, digest string, ok bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/octet-stream, */*")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, err = io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotFound {
		t.Fatalf("GET %s: %v, status %d: %s", path, err, resp.StatusCode, data)
	}
	return data, resp.Header.Get("Docker-Content-Digest"), resp.StatusCode == http.StatusOK
}

// Files are the digests of the files below /models in the image of a tag.
func (r *Reader) Files(t *testing.T, tag string) map[string]string {
	t.Helper()
	data, _, ok := r.get(t, "manifests/"+tag)
	if !ok {
		return nil
	}
	var m manifest
	decode(data, &m)
	out := map[string]string{}
	for _, l := range m.Layers {
		layer, _, ok := r.get(t, "blobs/"+l.Digest)
		if !ok {
			t.Fatalf("tag %s has no layer %s", tag, l.Digest)
		}
		for files := tar.NewReader(bytes.NewReader(layer)); ; {
			h, err := files.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(files)
			if path, ok := strings.CutPrefix(h.Name, "models/"); err == nil && ok && h.Typeflag == tar.TypeReg {
				out[path] = sum(body)
			}
		}
	}
	return out
}

// Referrers are the types of what refers to the image of a tag, by the API of referrers, or
// by the tag that stands for it.
func (r *Reader) Referrers(t *testing.T, tag string) []string {
	t.Helper()
	_, digest, ok := r.get(t, "manifests/"+tag)
	if !ok {
		return nil
	}
	data, _, ok := r.get(t, "referrers/"+digest)
	if !ok {
		data, _, _ = r.get(t, "manifests/"+strings.Replace(digest, ":", "-", 1))
	}
	var m manifest
	decode(data, &m)
	var out []string
	for _, one := range m.Manifests {
		out = append(out, one.ArtifactType)
	}
	slices.Sort(out)
	return out
}

// Things are the tags, each with the digest that it names.
func (r *Reader) Things(t *testing.T) []string {
	t.Helper()
	data, _, ok := r.get(t, "tags/list")
	if !ok {
		return nil
	}
	var list struct{ Tags []string }
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list.Tags)
	var out []string
	for _, tag := range list.Tags {
		_, digest, _ := r.get(t, "manifests/"+tag)
		out = append(out, tag+" "+digest)
	}
	return out
}

// Foreign tags an image that is none of ours.
func (r *Reader) Foreign(t *testing.T, tag string) func() bool {
	t.Helper()
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	resp, err := http.Post(r.url("blobs/uploads/"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	at, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	q := at.Query()
	q.Set("digest", sum(config))
	at.RawQuery = q.Encode()
	r.put(t, at.String(), "application/octet-stream", config)
	image := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`, sum(config), len(config))
	r.put(t, r.url("manifests/"+tag), "application/vnd.oci.image.manifest.v1+json", image)
	return func() bool {
		_, digest, _ := r.get(t, "manifests/"+tag)
		return digest == sum(image)
	}
}

// Move makes a tag name the image of another.
func (r *Reader) Move(t *testing.T, alias, version string) {
	t.Helper()
	data, _, _ := r.get(t, "manifests/"+version)
	r.put(t, r.url("manifests/"+alias), "application/vnd.oci.image.manifest.v1+json", data)
}

func (r *Reader) put(t *testing.T, url, mediaType string, data []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("PUT %s: status %d: %s", url, resp.StatusCode, text)
	}
}
