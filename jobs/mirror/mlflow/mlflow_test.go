package mlflow_test

import (
	"net/http"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/mlflow/mlflowtest"
	"github.com/sprint-ml/sprint/storage/models"
)

func TestConformance(t *testing.T) { mirrortest.Run(t, mlflowtest.Subject(mlflowtest.New)) }

// TestByReference: files of a store that others can read are registered where they are: no
// run is made, and none is read or sent.
func TestByReference(t *testing.T) {
	server := mlflowtest.New(t)
	r := mirror.Release{Release: models.Release{Name: mirrortest.Model, Version: 3, Digest: "sha256:3"}, Source: "s3://bucket/store/models/news/3/files"}
	registry := server.Open(t, http.DefaultTransport)
	for range 2 {
		if err := registry.Push(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if was, err := registry.Point(t.Context(), "v7", r); was != "" || err != nil {
		t.Errorf("%q %v", was, err)
	}
	if was, err := registry.Point(t.Context(), "v7", r); was != r.Digest || err != nil {
		t.Errorf("again %q %v", was, err)
	}
	want := []string{"alias sprint-v7 of 1", "version 1 of sha256:3 at s3://bucket/store/models/news/3/files"}
	if got := server.Things(t); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("there are %q, want %q", got, want)
	}
}
