package hf

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
	"github.com/sprint-ml/sprint/storage"
)

// maxInline is what files that the hub takes inside a commit may have together, in bytes.
const maxInline = 64 << 20

// operation is a line of a commit.
type operation struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

// commit makes the commit of a release on top of parent, takes away what the release before
// had and this one has not, and returns its name.
func (r *Registry) commit(ctx context.Context, release mirror.Release, parent string, before []string) (string, error) {
	large, err := r.large(ctx, release)
	if err != nil {
		return "", fmt.Errorf("ask how files are taken: %w", err)
	}
	if err := r.upload(ctx, release, large); err != nil {
		return "", err
	}
	head := map[string]any{"summary": fmt.Sprintf("%s@%d", release.Name, release.Version), "description": "Release of tree " + release.Digest}
	if parent != "" {
		head["parentCommit"] = parent // what somebody else commits meanwhile is not overwritten
	}
	lines := []operation{{"header", head}}
	about := marker{Model: release.Name, Version: release.Version, Digest: release.Digest}
	inline := int64(0)
	for _, e := range release.Files {
		about.Files = append(about.Files, e.Path)
		if slices.Contains(large, e) {
			lines = append(lines, operation{"lfsFile", map[string]any{"path": e.Path, "algo": "sha256", "oid": oid(e), "size": e.Size}})
			continue
		}
		if inline += e.Size; inline > maxInline {
			return "", fmt.Errorf("the hub wants more than %d bytes inside one commit", maxInline)
		}
		data, err := read(ctx, release, e, e.Size)
		if err != nil {
			return "", err
		}
		lines = append(lines, file(e.Path, data))
	}
	data, err := json.Marshal(about)
	if err != nil {
		return "", err
	}
	lines = append(lines, file(markerPath, data))
	for _, path := range before {
		if !slices.Contains(about.Files, path) {
			lines = append(lines, operation{"deletedFile", map[string]any{"path": path}})
		}
	}
	var b bytes.Buffer
	for _, line := range lines {
		if err := json.NewEncoder(&b).Encode(line); err != nil {
			return "", err
		}
	}
	body := rest.Bytes("application/x-ndjson", b.Bytes())
	var made struct {
		Commit string `json:"commitOid"`
	}
	if err := r.client.Do(ctx, http.MethodPost, "/api/models/"+r.repo()+"/commit/main", nil, &body, &made); err != nil {
		return "", fmt.Errorf("commit the version: %w", err)
	}
	if made.Commit == "" {
		return "", errors.New("the hub made a commit and did not name it")
	}
	return made.Commit, nil
}

func file(path string, data []byte) operation {
	return operation{"file", map[string]any{"path": path, "content": base64.StdEncoding.EncodeToString(data), "encoding": "base64"}}
}

// oid is what Git LFS calls a file.
func oid(e storage.TreeEntry) string { return strings.TrimPrefix(e.Digest, "sha256:") }

// read reads the first bytes of a file.
func read(ctx context.Context, release mirror.Release, e storage.TreeEntry, most int64) ([]byte, error) {
	from, err := release.Open(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", e.Path, err)
	}
	defer from.Close()
	data, err := io.ReadAll(io.LimitReader(from, most))
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", e.Path, err)
	}
	return data, nil
}

// sample is how much of a file the hub looks at to say how it is taken.
const sample = 512

// large asks the hub which files of a release do not go into the commit itself.
func (r *Registry) large(ctx context.Context, release mirror.Release) ([]storage.TreeEntry, error) {
	var files []map[string]any
	for _, e := range release.Files {
		head, err := read(ctx, release, e, sample)
		if err != nil {
			return nil, err
		}
		files = append(files, map[string]any{"path": e.Path, "size": e.Size, "sample": base64.StdEncoding.EncodeToString(head)})
	}
	var answer struct {
		Files []struct {
			Path   string `json:"path"`
			Mode   string `json:"uploadMode"`
			Ignore bool   `json:"shouldIgnore"`
		} `json:"files"`
	}
	if err := r.client.Call(ctx, http.MethodPost, "/api/models/"+r.repo()+"/preupload/main", map[string]any{"files": files}, &answer); err != nil {
		return nil, err
	}
	var out []storage.TreeEntry
	for _, e := range release.Files {
		for _, f := range answer.Files {
			if f.Path == e.Path && f.Mode == "lfs" && e.Size > 0 { // an empty file goes into the commit
				out = append(out, e)
			}
		}
	}
	return out, nil
}
