//go:build unix

package executor_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// TestScript: a job's line fetches its program once, passes its arguments as they
// are, and runs no other program.
func TestScript(t *testing.T) {
	program := []byte("#!/bin/sh\nfor a; do echo \"<$a>\"; done\necho \"${SPRINT_PROGRAM_URL:-none}\"\n")
	sum := sha256.Sum256(program)
	fetched := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched++
		if r.URL.RawQuery != "a=1&sig=x%2F" {
			t.Errorf("the address arrived as %s", r.URL)
		}
		_, _ = w.Write(program)
	}))
	defer server.Close()
	dir := t.TempDir()
	job := &executor.Job{Program: executor.Program{Digest: hex.EncodeToString(sum[:])}, Argv: []string{"worker", "it's $HOME", `"`}}
	run := func(env ...string) (string, int) {
		cmd := exec.Command("sh", "-c", job.Script())
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), executor.EnvProgramDir + "=" + dir}, env...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	url := executor.EnvProgramURL + "=" + server.URL + "/p?a=1&sig=x%2F"
	if out, code := run(); code != 4 || !strings.Contains(out, "no address") {
		t.Errorf("without an address: %d %s", code, out)
	}
	for range 2 {
		if out, code := run(url); code != 0 || out != "<worker>\n<it's $HOME>\n<\">\nnone\n" {
			t.Errorf("%d %s", code, out)
		}
	}
	if fetched != 1 {
		t.Errorf("fetched %d times", fetched)
	}
	// Bytes that another wrote there are not run, nor are those of a lying address.
	if err := os.WriteFile(filepath.Join(dir, job.Program.Digest), []byte("#!/bin/sh\necho evil\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, code := run(url); code != 0 || strings.Contains(out, "evil") {
		t.Errorf("a changed program: %d %s", code, out)
	}
	job.Program.Digest = strings.Repeat("0", 64)
	if out, code := run(url); code != 9 || !strings.Contains(out, "is not the program") {
		t.Errorf("another program: %d %s", code, out)
	}
	job.Program.Platform = map[bool]string{true: "linux/arm64", false: "linux/amd64"}[runtime.GOARCH == "amd64"]
	if out, code := run(url); code != 4 || !strings.Contains(out, "the program is for "+job.Program.Platform) {
		t.Errorf("a program of another platform: %d %s", code, out)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left in the folder: %v", left)
	}
}

// TestJobID: names are DNS labels, and differ where attempts do.
func TestJobID(t *testing.T) {
	seen := map[string]bool{}
	for _, stage := range []string{"train", "Train_2", "träin", strings.Repeat("long", 40), "--"} {
		for n := range 2 {
			id := executor.JobID("20260102-030405-00012345", stage, n, "abc")
			if len(id) > 63 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || seen[id] {
				t.Errorf("%s", id)
			}
			seen[id] = true
		}
	}
}
