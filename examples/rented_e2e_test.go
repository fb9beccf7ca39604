//go:build e2e && unix

package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor/hf/hftest"
	"github.com/sprint-ml/sprint/jobs/executor/sky/skytest"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestMain lets this binary be SkyPilot's command.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == skytest.Part {
		os.Exit(skytest.Play(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// TestQuickstartRented: a training on a rented machine makes the bytes that one here makes;
// after the death of its runner it is one of the leftovers, and ends when these are ended.
func TestQuickstartRented(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_TOKEN", hftest.Token)
	here := trainedHere(t)
	for name, options := range map[string]func(*testing.T) string{
		"hf": func(t *testing.T) string {
			return fmt.Sprintf("namespace: %s, endpoint: '%s'", hftest.Namespace, hftest.New(t).URL)
		},
		"sky": func(t *testing.T) string {
			return fmt.Sprintf("command: '%s', poll: 1s, max_hourly_cost: 2", skytest.New(t).Command)
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "config.yaml")
			text := fmt.Sprintf("executors:\n  rented: {kind: %s, %s, cache: '%s'}\n", name, options(t), filepath.Join(cache, "sprint"))
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			there := briefTraining("--config", config, "--executor", "train=rented")
			done := run(t, storagetest.S3URL(t, nil)(), "quickstart/plan.yaml", there...)
			if done.Code != 0 || here != fmt.Sprint(done.digests()) {
				t.Fatalf("code %d, %s; digests here %s, there %v", done.Code, done.Error, here, done.digests())
			}
			url := storagetest.S3URL(t, nil)()
			cmd, _, _ := startElsewhere(t, url, append(there, "--set", "train.epochs=500"))
			if left := leftovers(t, url, config); len(left) != 1 || left[0].Owner != "runner" {
				t.Errorf("while its runner lives: %+v", left)
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if left := leftovers(t, url, config, "--end"); len(left) != 1 || left[0].Owner != "nobody" || !left[0].Ended || left[0].Executor != "rented" {
				t.Errorf("%+v", left)
			}
			if left := leftovers(t, url, config); len(left) != 0 {
				t.Errorf("it goes on: %+v", left)
			}
		})
	}
}

// leftover is a line of sprint leftovers -o json.
type leftover struct {
	Executor, Job, Owner, Error string
	Ended                       bool
}

func leftovers(t *testing.T, store, config string, args ...string) (out []leftover) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(sprint(t), append([]string{"leftovers", "--store", store, "--config", config, "-o", "json"}, args...)...)
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Errorf("%v: %s%s", err, text, &stderr)
	}
	for line := range strings.Lines(string(text)) {
		var l leftover
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, l)
	}
	return out
}
