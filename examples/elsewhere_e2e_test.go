//go:build e2e

package examples

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor/ssh/sshtest"
	"github.com/sprint-ml/sprint/stages/stagetest"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// sshPlace starts hosts, and writes a config in which the executor gpu is made of them.
func sshPlace(t *testing.T, n int, more string) (hosts *sshtest.Hosts, config string) {
	t.Helper()
	hosts = sshtest.Start(t, n)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	config = filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("executors:\n  gpu:\n    kind: ssh\n    hosts: [%s]\n    ssh_config: %s\n    secrets: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]\n    cache: %s\n%s",
		strings.Join(hosts.Names, ", "), hosts.Config, filepath.Join(cache, "sprint"), more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return hosts, config
}

// briefTraining is the run of the quickstart that places elsewhere are compared by.
func briefTraining(more ...string) []string {
	return append([]string{"--until", "train", "--set", "train.epochs=1"}, more...)
}

// trainedHere are the digests of a briefTraining on this machine.
func trainedHere(t *testing.T) string {
	t.Helper()
	digests, err := trained()
	if err != nil {
		t.Fatal(err)
	}
	return digests
}

var trained = sync.OnceValues(func() (string, error) {
	bin, err := build()
	if err != nil {
		return "", err
	}
	store, err := os.MkdirTemp("", "sprint-e2e-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(store)
	cmd := exec.Command(bin, append([]string{"run", "quickstart/plan.yaml", "--store", store, "-o", "json"}, briefTraining()...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("training here: %w: %s", err, &stderr)
	}
	r, err := told(string(out))
	if err == nil && len(r.digests()) == 0 {
		err = errors.New("training here made nothing")
	}
	return fmt.Sprint(r.digests()), err
})

// TestQuickstartBySSH: a training on another machine makes the bytes that one here makes,
// and leaves nothing there but the program.
func TestQuickstartBySSH(t *testing.T) {
	hosts, config := sshPlace(t, 1, "")
	url := storagetest.S3URL(t, nil)()
	there := run(t, url, "quickstart/plan.yaml", briefTraining("--config", config, "--executor", "train=gpu")...)
	if there.Code != 0 {
		t.Fatalf("code %d: %s", there.Code, there.Error)
	}
	if here := trainedHere(t); here != fmt.Sprint(there.digests()) {
		t.Errorf("digests here %s, there %v", here, there.digests())
	}
	jobs, err := filepath.Glob(filepath.Join(hosts.Home(hosts.Names[0]), ".cache/sprint/ssh/jobs/*"))
	programs, _ := filepath.Glob(filepath.Join(hosts.Home(hosts.Names[0]), ".cache/sprint/ssh/programs/*"))
	if err != nil || len(jobs) != 0 || len(programs) != 1 {
		t.Errorf("left there: jobs %v, programs %v (%v)", jobs, programs, err)
	}
	said := stored(t, url, "runs/"+*there.Run+"/")
	if strings.Contains(said, "AWS_SECRET") {
		t.Error("the store's records name a secret")
	}
}

// TestRunnerKilledWhileElsewhere: a runner is killed while its training is on another
// machine; the next run follows that training to its end.
func TestRunnerKilledWhileElsewhere(t *testing.T) {
	_, config := sshPlace(t, 1, "")
	url := storagetest.S3URL(t, nil)()
	args := briefTraining("--config", config, "--executor", "train=gpu")
	killWhileElsewhere(t, url, args)
	again := run(t, url, "quickstart/plan.yaml", args...)
	if again.Code != 0 {
		t.Fatalf("code %d: %s", again.Code, again.Error)
	}
	if here := trainedHere(t); here != fmt.Sprint(again.digests()) {
		t.Errorf("digests here %s, there %v", here, again.digests())
	}
	if n := strings.Count(keys(t, url, "runs/"), "/workers/train/"); n == 0 || strings.Contains(keys(t, url, "runs/"+*again.Run), "/workers/") {
		t.Errorf("the next run started a worker of its own: %s", keys(t, url, "runs/"))
	}
}

// startElsewhere begins a run of the quickstart, and returns when the worker of its training
// has said something.
func startElsewhere(t *testing.T, url string, args []string) (cmd *exec.Cmd, stdout, stderr *stagetest.Buffer) {
	t.Helper()
	cmd, stdout, stderr = start(t, url, "quickstart/plan.yaml", args...)
	if !eventually(t, url, "/workers/train/1/") {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("no worker has said anything: %s", stderr)
	}
	return cmd, stdout, stderr
}

// killWhileElsewhere kills such a run then.
func killWhileElsewhere(t *testing.T, url string, args []string) {
	t.Helper()
	cmd, _, _ := startElsewhere(t, url, args)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func openURL(t *testing.T, url string) *storage.Store {
	t.Helper()
	s, err := storage.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// keys lists what a store has below a prefix.
func keys(t *testing.T, url, prefix string) string {
	t.Helper()
	var b strings.Builder
	for info, err := range openURL(t, url).List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, info.Key)
	}
	return b.String()
}

// stored is all that a store has below a prefix.
func stored(t *testing.T, url, prefix string) string {
	t.Helper()
	s := openURL(t, url)
	var b strings.Builder
	for key := range strings.Lines(keys(t, url, prefix)) {
		data, err := s.ReadFile(context.Background(), strings.TrimSpace(key), 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(data)
	}
	return b.String()
}

// eventually waits for a key that holds a text.
func eventually(t *testing.T, url, text string) bool {
	t.Helper()
	for range 600 {
		if strings.Contains(keys(t, url, "runs/"), text) {
			return true
		}
		time.Sleep(200 * time.Millisecond)
	}
	return false
}
