// Package mlflowtest looks into an MLflow server by its API, and is a small one itself.
// reader.go looks, server.go is, start.go starts a real one.
package mlflowtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Tag is one of a version.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Version is one of a registered model.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Source  string `json:"source"`
	Tags    []Tag  `json:"tags"`
}

// Alias is one of a registered model.
type Alias struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
}

// server is an MLflow server in memory: registered models, and the proxy of artifacts.
type server struct {
	mu       sync.Mutex
	models   map[string][]Alias
	versions []Version
	files    map[string][]byte
	runs     []runOf // of one experiment
}

// runOf is a run that has a release.
type runOf struct {
	ID, Digest string
}

func (r runOf) artifacts() string { return "mlflow-artifacts:/1/" + r.ID + "/artifacts" }

func (r runOf) info() map[string]any {
	return map[string]any{"info": map[string]any{"run_id": r.ID, "artifact_uri": r.artifacts()}, "data": map[string]any{"tags": []Tag{{"sprint.digest", r.Digest}}}}
}

// New starts a server in memory.
func New(t *testing.T) *Reader {
	m := &server{models: map[string][]Alias{}, files: map[string][]byte{}}
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	return &Reader{URL: s.URL}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error_code": code, "message": message})
}

func (m *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, ok := strings.CutPrefix(r.URL.Path, "/api/2.0/mlflow-artifacts/artifacts"); ok {
		m.artifact(w, r, strings.TrimPrefix(at, "/"))
		return
	}
	in := map[string]any{}
	if r.Method != http.MethodGet {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			refuse(w, http.StatusBadRequest, "BAD_REQUEST", err.Error())
			return
		}
	}
	switch strings.TrimPrefix(r.URL.Path, "/api/2.0/mlflow/") {
	case "registered-models/get":
		name := r.URL.Query().Get("name")
		if aliases, ok := m.models[name]; ok {
			_ = json.NewEncoder(w).Encode(map[string]any{"registered_model": map[string]any{"name": name, "aliases": aliases}})
			return
		}
		refuse(w, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "no such model")
	case "registered-models/create":
		name := fmt.Sprint(in["name"])
		if _, ok := m.models[name]; ok {
			refuse(w, http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "it exists")
			return
		}
		m.models[name] = []Alias{}
		fmt.Fprint(w, "{}")
	case "registered-models/alias":
		m.alias(w, fmt.Sprint(in["name"]), Alias{fmt.Sprint(in["alias"]), fmt.Sprint(in["version"])})
	case "experiments/get-by-name":
		fmt.Fprint(w, `{"experiment":{"experiment_id":"1"}}`)
	case "runs/search":
		answer := []map[string]any{}
		for _, run := range m.runs {
			if in["filter"] == nil || strings.Contains(fmt.Sprint(in["filter"]), "'"+run.Digest+"'") {
				answer = append(answer, run.info())
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"runs": answer})
	case "runs/create":
		run := runOf{ID: fmt.Sprintf("run%d", len(m.runs)), Digest: fmt.Sprint(in["tags"].([]any)[0].(map[string]any)["value"])}
		m.runs = append(m.runs, run)
		_ = json.NewEncoder(w).Encode(map[string]any{"run": run.info()})
	case "runs/update":
		fmt.Fprint(w, "{}")
	case "model-versions/create":
		m.create(w, in)
	case "model-versions/search":
		m.search(w, r)
	default:
		http.NotFound(w, r)
	}
}

var reserved = regexp.MustCompile(`^(?i:latest|v[0-9]+)$|[^A-Za-z0-9_-]`)

func (m *server) alias(w http.ResponseWriter, name string, a Alias) {
	if reserved.MatchString(a.Alias) {
		refuse(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "alias name is reserved")
		return
	}
	m.models[name] = append(slices.DeleteFunc(m.models[name], func(old Alias) bool { return old.Alias == a.Alias }), a)
	fmt.Fprint(w, "{}")
}

func (m *server) create(w http.ResponseWriter, in map[string]any) {
	data, _ := json.Marshal(in)
	var v Version
	_ = json.Unmarshal(data, &v)
	id := fmt.Sprint(in["run_id"])
	of := slices.IndexFunc(m.runs, func(r runOf) bool { return r.ID == id })
	if strings.HasPrefix(v.Source, "mlflow-artifacts:") && (of < 0 || !strings.HasPrefix(v.Source, m.runs[of].artifacts()+"/")) {
		refuse(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "the run must have the source")
		return
	}
	n := 1
	for _, other := range m.versions {
		if other.Name == v.Name {
			n++
		}
	}
	v.Version = strconv.Itoa(n)
	m.versions = append(m.versions, v)
	_ = json.NewEncoder(w).Encode(map[string]any{"model_version": v})
}

// search answers a page of one version: clients must ask for the next.
func (m *server) search(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Query().Get("filter"), "name='"), "'")
	from, _ := strconv.Atoi(r.URL.Query().Get("page_token"))
	var all []Version
	for _, v := range m.versions {
		if v.Name == name {
			all = append(all, v)
		}
	}
	answer := map[string]any{}
	if from < len(all) {
		answer["model_versions"] = all[from : from+1]
	}
	if from+1 < len(all) {
		answer["next_page_token"] = strconv.Itoa(from + 1)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (m *server) artifact(w http.ResponseWriter, r *http.Request, at string) {
	switch r.Method {
	case http.MethodPut:
		data, err := io.ReadAll(r.Body)
		if err != nil || r.ContentLength >= 0 && int64(len(data)) != r.ContentLength {
			return
		}
		m.files[at] = data
		fmt.Fprint(w, "{}")
	case http.MethodGet:
		if at != "" {
			if data, ok := m.files[at]; ok {
				_, _ = w.Write(data)
				return
			}
			http.NotFound(w, r)
			return
		}
		m.list(w, r.URL.Query().Get("path"))
	}
}

func (m *server) list(w http.ResponseWriter, folder string) {
	type entry struct {
		Path  string `json:"path"`
		IsDir bool   `json:"is_dir"`
		Size  string `json:"file_size,omitempty"`
	}
	seen := map[string]entry{}
	for at, data := range m.files {
		rest, ok := strings.CutPrefix(at, folder+"/")
		if !ok {
			continue
		}
		first, _, deeper := strings.Cut(rest, "/")
		e := entry{Path: path.Base(first), IsDir: deeper}
		if !deeper {
			e.Size = strconv.Itoa(len(data))
		}
		seen[first] = e
	}
	var files []entry
	for _, e := range seen {
		files = append(files, e)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"files": files})
}
