//go:build e2e

package wrapper_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/jobstest"
)

// readConfiguration reads a file as `dstack apply` does, and prints what the task may take.
const readConfiguration = `
import sys, yaml
from dstack._internal.core.models.configurations import parse_apply_configuration
c = parse_apply_configuration(yaml.safe_load(open(sys.argv[1])))
print(c.type, c.max_duration, c.retry.duration, c.retry.on_events[0].value, c.resources.gpu.count.min)
`

// TestDstack: dstack's own models read the file that wraps a run, and refuse one with a key
// that they do not know.
func TestDstack(t *testing.T) {
	python := jobstest.Python(t, "DSTACK_PYTHON", "dstack==0.22.5", "dstack._internal.core.models.configurations")
	text, err := os.ReadFile("testdata/dstack.yml")
	if err != nil {
		t.Fatal(err)
	}
	read := func(text string) (string, error) {
		file := filepath.Join(t.TempDir(), "dstack.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(python, "-c", readConfiguration, file)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := read(string(text)); err != nil || !strings.HasSuffix(out, "task 3600 14400 interruption 1") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := read(strings.Replace(string(text), "max_duration:", "max_durations:", 1)); err == nil {
		t.Errorf("a misspelt key is read: %s", out)
	}
}
