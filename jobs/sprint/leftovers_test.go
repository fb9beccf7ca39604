//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/hf"
	"github.com/sprint-ml/sprint/jobs/executor/hf/hftest"
	"github.com/sprint-ml/sprint/storage"
)

// TestLeftovers: jobs at all executors are shown with who waits for them; --end ends what
// nobody waits for; a place that is not reached is told, with code 4, beside the others.
func TestLeftovers(t *testing.T) {
	hub := hftest.New(t)
	hub.Grace = 100 * time.Millisecond
	dir := t.TempDir()
	at, err := hf.New("rented", hf.Options{Namespace: hftest.Namespace, Token: "HF_TOKEN", Image: "x", Longest: time.Hour, Endpoint: hub.URL}, func(string) string { return hftest.Token })
	if err != nil {
		t.Fatal(err)
	}
	const sleeper = "#!/bin/sh\nexec sleep 600\n"
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(sleeper)))
	if err := os.WriteFile(filepath.Join(dir, sum), []byte(sleeper), 0o700); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, stage := range []string{"gone", "foreign"} {
		ids[stage] = executor.JobID("run", stage, 1, "x")
		_, err := at.Submit(t.Context(), &executor.Job{ID: ids[stage], Env: map[string]string{executor.EnvProgramDir: dir}, Program: executor.Program{
			Digest: sum, URL: func(context.Context, time.Duration) (string, error) { return "http://127.0.0.1:1/program", nil },
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := storage.Open(t.Context(), filepath.Join(dir, "store"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l, err := store.Acquire(t.Context(), "jobs/"+ids["gone"], storage.Self(), time.Minute, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	rented := "executors:\n  rented: {kind: hf, namespace: " + hftest.Namespace + ", endpoint: '" + hub.URL + "'}\n"
	write(t, dir, map[string]string{"one.yaml": rented, "two.yaml": rented + "  closed: {kind: hf, namespace: others, endpoint: '" + hub.URL + "'}\n", "none.yaml": "device: go\n"})
	leftovers := func(config string, args ...string) (int, string, string) {
		t.Helper()
		t.Chdir(dir)
		var out, stderr bytes.Buffer
		env := []string{"HOME=" + t.TempDir(), "HF_TOKEN=" + hftest.Token}
		code := run(t.Context(), append([]string{"leftovers", "--store", "store", "--config", config}, args...), env, strings.NewReader(""), &out, &stderr)
		return code, out.String(), stderr.String()
	}
	if code, out, stderr := leftovers("one.yaml"); code != 0 || !strings.Contains(out, ids["gone"]) || !strings.Contains(out, "not of this store") || !strings.Contains(out, "--config one.yaml --end") {
		t.Errorf("code %d: %s%s", code, out, stderr)
	}
	if code, out, stderr := leftovers("two.yaml"); code != 4 || !strings.Contains(out, ids["gone"]) || !strings.Contains(out, "not reached") || !strings.Contains(out, "the token needs the right") {
		t.Errorf("code %d: %s%s", code, out, stderr)
	}
	code, out, stderr := leftovers("one.yaml", "--end", "-o", "json")
	if code != 0 || strings.Count(out, "\n") != 2 {
		t.Fatalf("code %d: %s%s", code, out, stderr)
	}
	for line := range strings.Lines(out) {
		var got struct {
			Executor, Job, Owner string
			Ended                bool
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Executor != "rented" || got.Ended != (got.Job == ids["gone"]) || got.Ended != (got.Owner == "nobody") {
			t.Errorf("%s: %v", line, err)
		}
	}
	if code, out, _ := leftovers("one.yaml", "--end", "--all"); code != 0 || !strings.Contains(out, ids["foreign"]) || strings.Contains(out, "ended") {
		t.Errorf("code %d: %s", code, out)
	}
	if code, out, _ := leftovers("one.yaml", "--end", ids["foreign"]); code != 0 || !strings.Contains(out, ids["foreign"]) || !strings.Contains(out, "ended") {
		t.Errorf("code %d: %s", code, out)
	}
	if code, out, _ := leftovers("one.yaml"); code != 0 || out != "nothing runs elsewhere\n" {
		t.Errorf("code %d: %s", code, out)
	}
	if code, out, _ := leftovers("none.yaml"); code != 0 || !strings.Contains(out, "names no executor") {
		t.Errorf("code %d: %s", code, out)
	}
	for _, args := range [][]string{{"--all"}, {"--executor", "rent"}, {"more"}, {"--end", "--all", ids["foreign"]}} {
		if code, _, stderr := leftovers("one.yaml", args...); code != 2 || strings.Count(stderr, "\n") < 2 {
			t.Errorf("%v: code %d: %s", args, code, stderr)
		}
	}
}
