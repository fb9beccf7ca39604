package mlflowtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/mlflow"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
)

// Reader looks into an MLflow server by plain requests.
type Reader struct{ URL string }

// Requirement is what pip installs of a Python that serves MLflow and runs releases; Modules
// are what it can import then.
const (
	Requirement = "mlflow==3.17.2 safetensors==0.8.0 tokenizers==0.23.3"
	Modules     = "mlflow, safetensors, tokenizers"
)

// Subject is what the suite tests: a kind of registry whose servers start makes.
func Subject(start func(t *testing.T) *Reader) mirrortest.Subject {
	return mirrortest.Subject{
		To: "mlflow://mlflow.example", Own: func(path string) bool { return path == "MLmodel" || path == "sprint_pyfunc.py" }, Say: "is called sprint-latest there",
		New: func(t *testing.T) mirrortest.Server { return start(t) },
	}
}

// Open makes a registry of a mirror for the server.
func (r *Reader) Open(_ *testing.T, transport http.RoundTripper) mirror.Registry {
	return mlflow.New(rest.New(r.URL, rest.Options{Transport: transport}))
}

// ask sends a request, and reads the answer; ok is false if there is no such thing.
func (r *Reader) ask(t *testing.T, method, at string, in any) (data []byte, ok bool) {
	t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.URL+"/api/2.0/"+at, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, err = io.ReadAll(resp.Body); err != nil || resp.StatusCode >= 300 && resp.StatusCode != http.StatusNotFound {
		t.Fatalf("%s %s: %v, status %d: %s", method, at, err, resp.StatusCode, data)
	}
	return data, resp.StatusCode < 300
}

func (r *Reader) get(t *testing.T, at string, out any) bool {
	t.Helper()
	data, ok := r.ask(t, http.MethodGet, at, nil)
	if ok {
		if err := json.Unmarshal(data, out); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
	}
	return ok
}

// look reads the model's versions and aliases.
func (r *Reader) look(t *testing.T) (versions []Version, aliases []Alias) {
	t.Helper()
	var model struct {
		Model struct{ Aliases []Alias } `json:"registered_model"`
	}
	if !r.get(t, "mlflow/registered-models/get?name="+mirrortest.Model, &model) {
		return nil, nil
	}
	for token := ""; ; {
		var page struct {
			Versions []Version `json:"model_versions"`
			Next     string    `json:"next_page_token"`
		}
		r.get(t, "mlflow/model-versions/search?"+url.Values{"filter": {"name='" + mirrortest.Model + "'"}, "page_token": {token}}.Encode(), &page)
		versions = append(versions, page.Versions...)
		if token = page.Next; token == "" {
			return versions, model.Model.Aliases
		}
	}
}

func (v Version) tag(key string) string {
	for _, t := range v.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// Files are the digests of the artifacts of a version of ours, or of what an alias names.
func (r *Reader) Files(t *testing.T, name string) map[string]string {
	t.Helper()
	if name == "latest" {
		name = "sprint-latest"
	}
	versions, aliases := r.look(t)
	for _, v := range versions {
		if v.tag("sprint.version") == name || slices.Contains(aliases, Alias{name, v.Version}) {
			out := map[string]string{}
			r.walk(t, strings.TrimPrefix(v.Source, "mlflow-artifacts:/"), "", out)
			return out
		}
	}
	return nil
}

func (r *Reader) walk(t *testing.T, folder, below string, out map[string]string) {
	t.Helper()
	var list struct {
		Files []struct {
			Path  string `json:"path"`
			IsDir bool   `json:"is_dir"`
		}
	}
	r.get(t, "mlflow-artifacts/artifacts?"+url.Values{"path": {path.Join(folder, below)}}.Encode(), &list)
	for _, f := range list.Files {
		at := path.Join(below, path.Base(f.Path))
		if f.IsDir {
			r.walk(t, folder, at, out)
			continue
		}
		data, _ := r.ask(t, http.MethodGet, "mlflow-artifacts/artifacts/"+path.Join(folder, at), nil)
		sum := sha256.Sum256(data)
		out[at] = "sha256:" + hex.EncodeToString(sum[:])
	}
}

// Things are the versions and aliases.
func (r *Reader) Things(t *testing.T) []string {
	t.Helper()
	versions, aliases := r.look(t)
	var out []string
	for _, v := range versions {
		at := ""
		if strings.HasPrefix(v.Source, "s3:") {
			at = " at " + v.Source
		}
		out = append(out, fmt.Sprintf("version %s of %s%s", v.Version, v.tag("sprint.digest"), at))
	}
	for _, a := range aliases {
		out = append(out, fmt.Sprintf("alias %s of %s", a.Alias, a.Version))
	}
	for _, id := range r.runs(t) {
		out = append(out, "run of "+id[1])
	}
	slices.Sort(out)
	return out
}

// Foreign registers a version that is none of ours, the first of the model.
func (r *Reader) Foreign(t *testing.T, _ string) func() bool {
	t.Helper()
	r.ask(t, http.MethodPost, "mlflow/registered-models/create", map[string]string{"name": mirrortest.Model})
	r.ask(t, http.MethodPost, "mlflow/model-versions/create", map[string]string{"name": mirrortest.Model, "source": "s3://theirs/model"})
	return func() bool {
		versions, _ := r.look(t)
		return slices.ContainsFunc(versions, func(v Version) bool {
			return v.Source == "s3://theirs/model" && v.Version == "1" && len(v.Tags) == 0
		})
	}
}

// Move makes an alias name a version of ours.
func (r *Reader) Move(t *testing.T, alias, version string) {
	t.Helper()
	versions, _ := r.look(t)
	for _, v := range versions {
		if v.tag("sprint.version") == version {
			r.ask(t, http.MethodPost, "mlflow/registered-models/alias", map[string]string{"name": mirrortest.Model, "alias": "sprint-" + alias, "version": v.Version})
		}
	}
}

// runs are the runs of the model's experiment: their IDs, and the digests of their releases.
func (r *Reader) runs(t *testing.T) [][2]string {
	t.Helper()
	var experiment struct {
		Experiment struct {
			ID string `json:"experiment_id"`
		}
	}
	if !r.get(t, "mlflow/experiments/get-by-name?experiment_name=sprint-"+mirrortest.Model, &experiment) {
		return nil
	}
	var found struct {
		Runs []struct {
			Info struct {
				ID string `json:"run_id"`
			}
			Data struct{ Tags []Tag }
		}
	}
	data, _ := r.ask(t, http.MethodPost, "mlflow/runs/search", map[string]any{"experiment_ids": []string{experiment.Experiment.ID}})
	if err := json.Unmarshal(data, &found); err != nil {
		t.Fatal(err)
	}
	var out [][2]string
	for _, one := range found.Runs {
		out = append(out, [2]string{one.Info.ID, Version{Tags: one.Data.Tags}.tag("sprint.digest")})
	}
	return out
}

// Clear deletes the model and its runs.
func (r *Reader) Clear(t *testing.T) {
	t.Helper()
	r.ask(t, http.MethodDelete, "mlflow/registered-models/delete", map[string]string{"name": mirrortest.Model})
	for _, one := range r.runs(t) {
		r.ask(t, http.MethodPost, "mlflow/runs/delete", map[string]string{"run_id": one[0]})
	}
}
