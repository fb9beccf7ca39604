// Package servers runs the stores' tests against real servers: versitygw (S3)
// and fake-gcs-server (GCS) as child processes on the loopback, with toxiproxy
// between where a test wants a bad network. It is a module of its own, so that
// nothing of this enters the requirements of sprint.
package servers

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
	"time"
)

// The programs that the tests start. They are built once and kept in the
// user's cache folder.
const (
	versitygw = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
	fakeGCS   = "github.com/fsouza/fake-gcs-server@v1.56.1"
)

// program returns the path of a Go program, which it builds if it is not there
// yet. Without a network the test is skipped, but fails where CI is set.
func program(t testing.TB, pkg string) string {
	t.Helper()
	name := programName(pkg)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cache, "sprint-build", "servers", path.Base(pkg), name)
	if _, err := os.Stat(file); err == nil {
		return file
	}
	parent := filepath.Dir(filepath.Dir(file))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp(parent, "building-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	began := time.Now()
	t.Logf("building %s, once", pkg)
	cmd := exec.Command("go", "install", pkg)
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), "GOBIN="+tmp, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("%s cannot be built (%v): %s", pkg, err, out)
		}
		t.Fatalf("go install %s: %v: %s", pkg, err, out)
	}
	t.Logf("built %s in %s", name, time.Since(began).Round(time.Second))
	if err := os.Chmod(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	// Whoever built it first wins; the programs are the same.
	if err := os.Rename(tmp, filepath.Dir(file)); err != nil {
		if _, there := os.Stat(file); there != nil {
			t.Fatal(err)
		}
	}
	return file
}

// programName is the name that go install gives a package's program: the last
// element of its path that is no major version.
func programName(pkg string) string {
	p := pkg[:len(pkg)-len(filepath.Ext(pkg))]
	for i := range pkg {
		if pkg[i] == '@' {
			p = pkg[:i]
		}
	}
	name := path.Base(p)
	if len(name) > 1 && name[0] == 'v' && name[1] >= '0' && name[1] <= '9' {
		name = path.Base(path.Dir(p))
	}
	return name
}
