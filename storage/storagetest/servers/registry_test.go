package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/jobs/mirror/mirrortest"
	"github.com/sprint-ml/sprint/jobs/mirror/oci/ocitest"
)

// distribution is the registry of containers that others are measured by.
const distribution = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2"

// startContainers starts a real registry of containers that keeps them in a folder, and
// returns its address.
func startContainers(t *testing.T, dir string) string {
	t.Helper()
	binary, file := program(t, distribution), filepath.Join(dir, "config.yml")
	return run(t, func(addr string) *process {
		config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n", filepath.Join(dir, "data"), addr)
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		return &process{argv: []string{binary, "serve", file}, env: []string{"OTEL_TRACES_EXPORTER=none"}, addr: addr}
	}).addr
}

// TestContainerRegistry holds the mirror of releases as images to what every mirror must do,
// on a real registry with a folder of its own for each test.
func TestContainerRegistry(t *testing.T) {
	start := func(t *testing.T) *ocitest.Reader {
		t.Helper()
		return &ocitest.Reader{Host: startContainers(t, t.TempDir()), Repository: "team/news"}
	}
	mirrortest.Run(t, mirrortest.Subject{To: "oci://registry.example/team/news", Few: true, New: func(t *testing.T) mirrortest.Server { return start(t) }})
	t.Run("Referrers", func(t *testing.T) {
		r := start(t)
		mirrortest.Fill(t, r)
		if got := r.Referrers(t, "latest"); !slices.Equal(got, []string{"application/vnd.sprint.card.v1"}) {
			t.Errorf("latest is referred to by %v", got)
		}
	})
}
