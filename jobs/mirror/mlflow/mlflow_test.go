package mlflow_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/mlflow"
	"github.com/sprint-ml/sprint/jobs/mirror/mlflow/mlflowtest"
	"github.com/sprint-ml/sprint/jobs/mirror/rest"
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

// TestHostile: a server that leads elsewhere with the account, lists without end or calls
// versions by what may be a secret is refused, and told without its words.
func TestHostile(t *testing.T) {
	const secret = "secret-of-more-than-twenty-characters"
	many := func(n int, what string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(what+",", n), ",") + "]"
	}
	for want, c := range map[string]struct{ versions, folder, files string }{
		"leads out of those that it keeps": {"[]", "/1/../../../../api/2.0/secrets", "[]"},
		"201 versions of news":             {many(201, `{"version":"1"}`), "/1/a", "[]"},
		"a version by no number":           {`[{"version":"` + secret + `"}]`, "/1/a", "[]"},
		"deeper than 16":                   {"[]", "/1/a", `[{"path":"x","is_dir":true}]`},
	} {
		asked := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			switch at := r.URL.Path; {
			case strings.Contains(at, "secrets"):
				t.Errorf("%s: %s is asked", want, r.URL)
			case strings.HasSuffix(at, "model-versions/search"):
				fmt.Fprintf(w, `{"model_versions":%s,"next_page_token":""}`, c.versions)
			case strings.HasSuffix(at, "runs/search"):
				fmt.Fprintf(w, `{"runs":[{"info":{"run_id":"1","artifact_uri":"mlflow-artifacts:%s"}}]}`, c.folder)
			case strings.HasSuffix(at, "mlflow-artifacts/artifacts"):
				fmt.Fprintf(w, `{"files":%s}`, c.files)
			default:
				fmt.Fprint(w, `{}`)
			}
		}))
		registry, err := mirror.Hiding(mlflow.New(rest.New(s.URL, rest.Options{Secret: secret})), secret)
		if err != nil {
			t.Fatal(err)
		}
		err = registry.Push(t.Context(), mirror.Release{Release: models.Release{Name: "news", Version: 1, Digest: "sha256:1"}})
		s.Close()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret[:10]) || asked > 40 {
			t.Errorf("%v after %d requests, want %q", err, asked, want)
		}
	}
}
