package model

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/release"
)

// TestOrigin: answers of another backend, of all categories or of another model are not
// gone on with; those of a backend that is the default have the origin that they always had.
func TestOrigin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := answers.OpenSource(t.Context(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	of := func(o sinkOptions, model string) answers.Origin {
		t.Helper()
		o.output = "a.csv"
		origin, err := originOf(t.Context(), &classify.Classifier{Name: "toy@1"}, &input{source: source}, o, model)
		if err != nil || origin.Input == "" {
			t.Fatalf("%+v, %v", origin, err)
		}
		return origin
	}
	usual := of(sinkOptions{backend: release.BackendDevice}, "x")
	if want := `{"output":"csv","format":"","all":false,"min-probability":0}`; usual.Options != want {
		t.Errorf("the usual options are %s, want %s", usual.Options, want)
	}
	for name, other := range map[string]answers.Origin{"backend": of(sinkOptions{backend: release.BackendONNX}, "x"), "all": of(sinkOptions{all: true}, "x"), "model": of(sinkOptions{}, "y")} {
		if other == usual {
			t.Errorf("another %s has the same origin", name)
		}
	}
}
