package places_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror"
	"github.com/sprint-ml/sprint/jobs/mirror/places"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/storage/models"
)

const secret = "s3cret-of-the-registry"

// TestSecrets: a registry that repeats the secret in what it refuses does not bring it into
// what is said, and gets it where the plan says.
func TestSecrets(t *testing.T) {
	got := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"error_code":"DENIED","message":"no %s","error":"no %[1]s","errors":[{"code":"DENIED","message":"no %[1]s"}]}`, secret)
	}))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	o := places.Options{Hub: server.URL, Secret: func(ref string) (string, error) {
		if ref != "env:TOKEN" {
			return "", errors.New("no such secret")
		}
		return secret, nil
	}}
	r := mirror.Release{Release: models.Release{Name: "news", Version: 1, Digest: "sha256:1"}, Source: "s3://b/p"}
	for to, sent := range map[string]bool{"oci://" + host + "/team/news": false, "mlflow://" + host: true, "hf://team/news": true} { // the first sends it where it is asked for
		m := stages.Mirror{To: to, Secret: "env:TOKEN", Plain: true}
		registry, err := o.Open(m)
		if err != nil {
			t.Fatal(err)
		}
		if err = registry.Push(t.Context(), r); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "403") {
			t.Errorf("%s: %v", to, err)
		}
		if header := <-got; (header == "Bearer "+secret) != sent {
			t.Errorf("%s: it was sent %q", to, header)
		}
		m.Secret = "env:OTHER"
		if _, err := o.Open(m); err == nil || !strings.Contains(err.Error(), "env:OTHER") {
			t.Errorf("%s without its secret: %v", to, err)
		}
	}
}

// TestProtocol: a registry of http that is asked by https says nothing that helps, so it is
// said what helps, and what was being done; not which address was asked.
func TestProtocol(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	closing := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(closing.Close)
	for kind, doing := range map[string]string{"oci": "read the tag of the version: ", "mlflow": "registered model news: "} {
		for _, c := range []struct {
			server *httptest.Server
			plain  bool
		}{{server, false}, {closing, true}} {
			registry, err := places.Options{}.Open(stages.Mirror{To: kind + "://" + strings.TrimPrefix(c.server.URL, "http://") + "/team/news", Plain: c.plain})
			if err != nil {
				t.Fatal(err)
			}
			if err := registry.Push(t.Context(), mirror.Release{Release: models.Release{Name: "news", Version: 1, Digest: "sha256:1"}}); err == nil || !strings.Contains(err.Error(), "(plain: true)") || !strings.HasPrefix(err.Error(), doing) || strings.Contains(err.Error(), "://") {
				t.Errorf("%s, plain %v: %v", kind, c.plain, err)
			}
		}
	}
}

// TestKinds: every kind of mirror can be opened, and the help, the guide and who writes another
// one are told of it.
func TestKinds(t *testing.T) {
	guide, err := os.ReadFile("../../../examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	to, _ := reflect.TypeFor[stages.Mirror]().FieldByName("To")
	refused := stages.CheckMirrors("mirror", []stages.Mirror{{To: "ftp://host"}})
	for _, kind := range stages.MirrorKinds() {
		if !strings.Contains(to.Tag.Get("doc"), kind.Form) || !strings.Contains(refused[0].Hint, kind.Form) {
			t.Errorf("%s is not in the help %q or the hint %q", kind.Form, to.Tag.Get("doc"), refused[0].Hint)
		}
		if !strings.Contains(string(guide), "- `"+kind.Scheme+"://") {
			t.Errorf("the guide says nothing of %s", kind.Form)
		}
		address := strings.ToLower(strings.TrimSuffix(kind.Form, "[:PORT][/PATH]"))
		if _, err := (places.Options{}).Open(stages.Mirror{To: address}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestTargets: what no registry can be is refused where a plan is checked.
func TestTargets(t *testing.T) {
	for to, good := range map[string]bool{
		"oci://ghcr.io/team/news": true, "oci://localhost:5000/news": true, "mlflow://host": true, "mlflow://host:5000/prefix": true, "hf://Org/my.Model_1": true,
		"": false, "oci://ghcr.io": false, "oci://ghcr.io/Team": false, "oci://ghcr.io/team/news:tag": false, "oci://user:pw@ghcr.io/team/news": false,
		"hf://org": false, "hf://org/a/b": false, "hf://org/..": false, "https://host": false, "mlflow://host?token=pw@x": false, "mlflow://host#pw@x": false, "oci://user:pw@x?y@host/z": false,
	} {
		problems := stages.CheckMirrors("mirror", []stages.Mirror{{To: to}})
		if (len(problems) == 0) != good {
			t.Errorf("%q: %v", to, problems)
		}
		for _, p := range problems {
			if strings.Contains(p.Message, "pw@") {
				t.Errorf("%q: its secret is repeated: %s", to, p.Message)
			}
		}
	}
	for want, m := range map[string]stages.Mirror{
		"":                                 {To: "command://team", Command: []string{"tell"}, Env: []string{"LANG"}, Secrets: map[string]string{"TOKEN": "env:OTHER"}},
		"has no command":                   {To: "command://team"},
		"takes no user, secret or plain":   {To: "command://team", Command: []string{"tell"}, Secret: "env:OTHER"},
		`"A=B" is no variable`:             {To: "command://team", Command: []string{"tell"}, Env: []string{"A=B"}},
		`"A B" is no variable`:             {To: "command://team", Command: []string{"tell"}, Secrets: map[string]string{"A B": "env:OTHER"}},
		"takes no command, env or secrets": {To: "hf://team/news", Command: []string{"tell"}},
		"is no registry":                   {To: "command://team/tell", Command: []string{"tell"}},
	} {
		problems := stages.CheckMirrors("mirror", []stages.Mirror{m})
		if want == "" && len(problems) > 0 || want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, want)) {
			t.Errorf("%+v: %v, want %q", m, problems, want)
		}
	}
	if problems := stages.CheckMirrors("mirror", []stages.Mirror{{To: "mlflow://host"}, {To: "mlflow://host/"}}); len(problems) != 1 || problems[0].Path != "mirror.1.to" {
		t.Errorf("twice: %v", problems)
	}
}
