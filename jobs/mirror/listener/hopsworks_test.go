//go:build unix

package listener_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeClient is a module that answers as Hopsworks' client is documented to; it keeps what it has
// in folders, by version.
const fakeClient = `
import os, shutil, sys
class Model:
    def __init__(self, name, version, metrics=None, description=None):
        self.name, self.version, self.metrics, self.description = name, version, metrics, description
    def save(self, path):
        to = os.path.join(sys.path[0], "there", self.name, str(self.version))
        shutil.copytree(path, to)
        open(os.path.join(to, "description"), "w").write(self.description)
        open(os.path.join(to, "metrics"), "w").write(str(self.metrics))
class python:
    create_model = Model
class Registry:
    python = python
    def get_models(self, name):
        at = os.path.join(sys.path[0], "there", name)
        return [Model(name, int(v), description=open(os.path.join(at, v, "description")).read()) for v in os.listdir(at)] if os.path.isdir(at) else []
class Project:
    def get_model_registry(self):
        return Registry()
def login(host=None, project=None, api_key_value=None):
    assert (host, project, api_key_value) == ("hopsworks.example", "news", "s3cret-of-the-team")
    return Project()
`

// TestHopsworks: the example for Hopsworks, against a stand-in of its client, shows a version
// once, also if it is told twice, and leaves one that is not ours alone.
func TestHopsworks(t *testing.T) {
	w := newWorld(t, "")
	script, err := os.ReadFile("../../../examples/to_hopsworks.py")
	if err != nil {
		t.Fatal(err)
	}
	fake := "#!/bin/sh\n[ \"$*\" = \"artifacts get --store s3://bucket/news news@1 $6\" ] || exit 9\nmkdir \"$6\" && echo weights > \"$6/model.safetensors\"\n"
	for name, text := range map[string]string{"to_hopsworks.py": string(script), "hopsworks.py": fakeClient, "bin/sprint": fake} {
		path := filepath.Join(w.folder, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", filepath.Join(w.folder, "bin")+":"+os.Getenv("PATH"))
	t.Setenv("HOPSWORKS_HOST", "hopsworks.example")
	t.Setenv("HOPSWORKS_PROJECT", "news")
	w.target.Command = []string{"python3", "-B", "to_hopsworks.py"}
	w.target.Env, w.target.Secrets = []string{"HOPSWORKS_HOST", "HOPSWORKS_PROJECT"}, map[string]string{"HOPSWORKS_API_KEY": "env:TEAM_TOKEN"}
	there := filepath.Join(w.folder, "there", model, "1")
	for range 2 {
		if s := w.mustPush(t); s.Error != "" {
			t.Fatalf("state %+v, log %s", s, w.log.String())
		}
		for name, want := range map[string]string{"model.safetensors": "weights\n", "metrics": "{'macro_f1': 0.5}"} {
			if got, err := os.ReadFile(filepath.Join(there, name)); string(got) != want {
				t.Errorf("%s is %q (%v), want %q", name, got, err, want)
			}
		}
		// What it was told is forgotten.
		for info, err := range w.store.List(t.Context(), "models/"+model+"/mirrors/") {
			if err == nil {
				err = w.store.Sweep(t.Context(), info.Key)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(there, "description"), []byte("by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := w.mustPush(t); !strings.Contains(s.Error, "not ours: it is left alone") {
		t.Errorf("state %+v", s)
	}
}
