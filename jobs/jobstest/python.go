package jobstest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Python is a Python that has a module, which a requirement of pip, or several with spaces
// between, brings: the one that a
// variable of the environment names, one that an earlier test in CI made, or python3. In CI
// it is made, once for a machine; elsewhere the test is skipped.
func Python(t *testing.T, variable, requirement, module string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	venv := filepath.Join(cache, "sprint-build", requirement)
	kept := filepath.Join(venv, "bin", "python")
	for _, path := range []string{os.Getenv(variable), kept, "python3"} {
		if path != "" && exec.Command(path, "-c", "import "+module).Run() == nil {
			return path
		}
	}
	if os.Getenv("CI") != "true" {
		t.Skipf("no Python here has %s: pip install %s, and let %s name it", module, requirement, variable)
	}
	for _, command := range [][]string{{"python3", "-m", "venv", "--clear", venv}, append([]string{kept, "-m", "pip", "install", "--quiet"}, strings.Fields(requirement)...)} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", command, err, out)
		}
	}
	return kept
}
