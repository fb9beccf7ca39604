package examples

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestActionsArePinned: a workflow asks for its rights by name, and what it runs
// of others is named by commit, with the tag beside it: tags are moved.
func TestActionsArePinned(t *testing.T) {
	files, err := filepath.Glob("../.github/workflows/*.yml")
	files = append(files, "ci/github.yml")
	if err != nil || len(files) < 3 {
		t.Fatalf("workflows: %v (%v)", files, err)
	}
	pinned := regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	commits := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var flow struct {
			Permissions *map[string]string
		}
		if err := yaml.Unmarshal(data, &flow); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if flow.Permissions == nil {
			t.Errorf("%s has all the rights of the repository's setting", file)
		} else if slices.Contains(slices.Collect(maps.Values(*flow.Permissions)), "write") {
			t.Errorf("%s gives every job a right to write", file)
		}
		for line := range strings.Lines(string(data)) {
			_, uses, ok := strings.Cut(line, "uses: ")
			uses = strings.TrimSpace(uses)
			if !ok || strings.HasPrefix(uses, "./") {
				continue
			}
			name, commit, _ := strings.Cut(uses, "@")
			if !pinned.MatchString(uses) {
				t.Errorf("%s: %s is not named by commit and tag", file, uses)
			} else if other := commits[name]; other != "" && other != commit {
				t.Errorf("%s: %s is %s, and elsewhere %s", file, name, commit, other)
			}
			commits[name] = commit
		}
	}
}

// TestRequirements: what the module requires by itself, the program is built
// from, but for what tests are written with. Test servers stand in a module
// of their own.
func TestRequirements(t *testing.T) {
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	out, err := exec.Command("go", "mod", "edit", "-json", "../go.mod").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", module+"/jobs/sprint")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=1", "GOFLAGS=-tags=daulet") // all that is optional too
	if out, err = cmd.Output(); err != nil {
		t.Fatal(err)
	}
	built := strings.Fields(string(out))
	forTests := []string{"github.com/anishathalye/porcupine", "github.com/getkin/kin-openapi", "github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "github.com/santhosh-tekuri/jsonschema/v6", "pgregory.net/rapid"}
	for _, r := range mod.Require {
		if !r.Indirect && !slices.Contains(built, r.Path) && !slices.Contains(forTests, r.Path) {
			t.Errorf("%s is required, and no package of the program is from it", r.Path)
		}
	}
}
