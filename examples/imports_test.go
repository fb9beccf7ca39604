package examples

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const module = "github.com/sprint-ml/sprint"

// TestImportRulesNameWhatIsThere: each pattern of the linter's import rules fits
// a folder of Go files, and each package that a rule denies is there. A rule
// about a folder that was renamed would pass whatever is imported.
func TestImportRulesNameWhatIsThere(t *testing.T) {
	data, err := os.ReadFile("../.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var lint struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]struct {
						Files []string
						Deny  []struct{ Pkg, Desc string }
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(data, &lint); err != nil {
		t.Fatal(err)
	}
	rules, folders := lint.Linters.Settings.Depguard.Rules, packageFolders(t)
	if len(rules) < 10 || len(folders) < 40 {
		t.Fatalf("%d rules, %d folders", len(rules), len(folders))
	}
	for name, rule := range rules {
		for _, pattern := range rule.Files {
			for _, p := range alternatives(strings.TrimPrefix(pattern, "!")) {
				if !strings.HasPrefix(p, "$") && !fitsAny(p, folders) {
					t.Errorf("rule %s: no folder fits %s", name, p)
				}
			}
		}
		for _, deny := range rule.Deny {
			denied, ours := strings.CutPrefix(strings.TrimSuffix(deny.Pkg, "$"), module+"/")
			if ours && !isPackage(denied, folders) {
				t.Errorf("rule %s: there is no package %s", name, denied)
			}
			if deny.Desc == "" {
				t.Errorf("rule %s: no reason is given for %s", name, deny.Pkg)
			}
		}
	}
}

// packageFolders are the folders below the root that hold Go files.
func packageFolders(t *testing.T) map[string]bool {
	t.Helper()
	folders := map[string]bool{}
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(p) == ".go" {
			folders[strings.TrimPrefix(path.Dir(filepath.ToSlash(p)), "../")] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

func isPackage(name string, folders map[string]bool) bool {
	for f := range folders {
		if f == name || strings.HasPrefix(f, name+"/") {
			return true
		}
	}
	return false
}

// alternatives writes out the first {a,b} of a pattern.
func alternatives(pattern string) []string {
	before, rest, ok := strings.Cut(pattern, "{")
	if !ok {
		return []string{pattern}
	}
	list, after, _ := strings.Cut(rest, "}")
	var out []string
	for _, x := range strings.Split(list, ",") {
		out = append(out, before+x+after)
	}
	return out
}

// fitsAny reports whether a pattern fits a Go file in one of the folders: ** is
// any path, * a name.
func fitsAny(pattern string, folders map[string]bool) bool {
	expression := regexp.QuoteMeta(pattern)
	expression = strings.ReplaceAll(expression, `\*\*/`, `(.*/)?`)
	expression = strings.ReplaceAll(expression, `\*\*`, `.*`)
	expression = strings.ReplaceAll(expression, `\*`, `[^/]*`)
	re := regexp.MustCompile("^" + expression + "$")
	for f := range folders {
		if re.MatchString(f + "/x.go") {
			return true
		}
	}
	return false
}

// TestReachesNoModelCode: what moves, groups and splits rows, runs commands and
// describes plans does not depend on ml in any way, nor the runner on a kind. The
// linter sees direct imports alone.
func TestReachesNoModelCode(t *testing.T) {
	packages := []string{"config", "storage", "stages", "stages/rows", "stages/dedup", "stages/storeio", "stages/fetch", "stages/split", "stages/command", "jobs", "jobs/report"}
	args := []string{"list", "-f", `{{.ImportPath}} {{join .Deps " "}}`}
	for _, p := range packages {
		args = append(args, module+"/"+p)
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(packages) {
		t.Fatalf("%d packages were listed, want %d", len(lines), len(packages))
	}
	for _, line := range lines {
		of, deps, _ := strings.Cut(line, " ")
		for _, dep := range strings.Fields(deps) {
			model := strings.HasPrefix(dep, module+"/ml/") && dep != module+"/ml/plainfile"
			if model || strings.HasPrefix(dep, "github.com/gomlx/") {
				t.Errorf("%s reaches %s", of, dep)
				break
			}
		}
	}
}
