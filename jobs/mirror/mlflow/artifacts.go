package mlflow

import (
	"context"
	_ "embed" // the loader
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
)

// proxy is where the server takes files for whatever store it keeps them in.
const proxy = "/api/2.0/mlflow-artifacts/artifacts"

// source brings the files of a release to where a version can name them, and says which run
// has them: in a store that others can read they stay where they are, which is in no run.
func (r *Registry) source(ctx context.Context, release mirror.Release) (source, runID string, err error) {
	if release.Source != "" {
		return release.Source, "", nil
	}
	of, err := r.run(ctx, release)
	if err != nil {
		return "", "", err
	}
	folder, err := of.folder()
	if err != nil {
		return "", "", err
	}
	folder += "/model"
	there := map[string]int64{}
	if err := r.sizes(ctx, folder, 0, there); err != nil {
		return "", "", fmt.Errorf("list the server's artifacts: %w", err)
	}
	for _, e := range release.Files {
		at := folder + "/" + e.Path
		if size, ok := there[at]; ok && size == e.Size {
			continue
		}
		body := rest.Body{Type: "application/octet-stream", Size: e.Size, Open: func() (io.ReadCloser, error) { return release.Open(ctx, e) }}
		if err := r.send(ctx, at, body); err != nil {
			return "", "", err
		}
	}
	about, err := mlmodel(release)
	if err != nil {
		return "", "", err
	}
	for _, own := range []struct {
		name string
		data []byte
	}{{loader + ".py", loaderText}, {"MLmodel", about}} {
		if err := r.send(ctx, folder+"/"+own.name, rest.Bytes("application/octet-stream", own.data)); err != nil {
			return "", "", err
		}
	}
	return strings.TrimSuffix(of.Info.Artifacts, "/") + "/model", of.Info.ID, r.finish(ctx, of)
}

func (r *Registry) send(ctx context.Context, at string, body rest.Body) error {
	if err := r.client.Do(ctx, http.MethodPut, proxy+"/"+escaped(at), nil, &body, nil); err != nil {
		return fmt.Errorf("send artifact %s: %w", at, err)
	}
	return nil
}

// escaped is a path as it stands in an address.
func escaped(at string) string {
	parts := strings.Split(at, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// How deep a release's folders are looked for, and how many files and folders.
const (
	maxDepth   = 16
	maxEntries = 100_000
)

// sizes adds the files below a folder of the server, by path; a folder has none. An upload is
// there as a whole or not at all, so its size tells that it is there.
func (r *Registry) sizes(ctx context.Context, folder string, depth int, out map[string]int64) error {
	var list struct {
		Files []struct {
			Path  string      `json:"path"`
			IsDir bool        `json:"is_dir"`
			Size  json.Number `json:"file_size"`
		} `json:"files"`
	}
	err := r.client.Do(ctx, http.MethodGet, proxy+"?"+url.Values{"path": {folder}}.Encode(), nil, nil, &list)
	if rest.Is(err, http.StatusNotFound, "") {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range list.Files {
		at := folder + "/" + path.Base(f.Path) // relative to the folder, or to the root: servers differ
		if _, twice := out[at]; twice {
			continue
		}
		size, err := f.Size.Int64()
		if f.IsDir || err != nil {
			size = -1 // that of no file of ours
		}
		if out[at] = size; len(out) > maxEntries {
			return fmt.Errorf("it has more than %d", maxEntries)
		}
		if !f.IsDir {
			continue
		}
		if depth == maxDepth {
			return fmt.Errorf("its folders are deeper than %d", maxDepth)
		}
		if err := r.sizes(ctx, at, depth+1, out); err != nil {
			return err
		}
	}
	return nil
}

// loader is the module by which MLflow runs a release: it asks the release's model.py.
const loader = "sprint_pyfunc"

//go:embed sprint_pyfunc.py
var loaderText []byte

// mlmodel is the file MLmodel of a release, which is JSON, as YAML may be: what the model
// takes and answers, and how MLflow runs it.
func mlmodel(release mirror.Release) ([]byte, error) {
	column := func(name string, required bool) map[string]any {
		return map[string]any{"type": "string", "name": name, "required": required}
	}
	inputs, err := json.Marshal([]any{column("title", true), column("description", false), column("language", false)})
	if err != nil {
		return nil, err
	}
	outputs, err := json.Marshal([]any{column("top", false)})
	if err != nil {
		return nil, err
	}
	hexDigits := strings.TrimPrefix(release.Digest, "sha256:")
	return json.MarshalIndent(map[string]any{
		"artifact_path": "model", "model_uuid": hexDigits[:min(32, len(hexDigits))],
		"flavors": map[string]any{
			"python_function": map[string]any{"loader_module": loader, "code": ".", "data": "."},
			"sprint":          map[string]any{"model": release.Name, "version": release.Version, "digest": release.Digest},
		},
		"signature": map[string]any{"inputs": string(inputs), "outputs": string(outputs)},
	}, "", " ")
}
