//go:build e2e && linux

package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestQuickstartBySlurm: a training as a job of a cluster makes the bytes that one here
// makes, and leaves nothing there but the program; a runner that is killed is followed by
// another, and what the cluster refuses is told before anything runs.
func TestQuickstartBySlurm(t *testing.T) {
	cluster := slurmtest.Start(t, slurmtest.Options{})
	for _, kv := range cluster.Env() {
		if conf, ok := strings.CutPrefix(kv, "SLURM_CONF="); ok {
			t.Setenv("SLURM_CONF", conf)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cluster.Dir, "shared")
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("executors:\n  cluster:\n    kind: slurm\n    folder: %s\n    cache: %s\n    offers: {gpus: 1, gpu_type: h100, memory: 4GB}\n  nowhere:\n    kind: slurm\n    folder: %[1]s\n    partition: nowhere\n", folder, filepath.Join(cache, "sprint"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := briefTraining("--config", config, "--executor", "train=cluster")
	here := trainedHere(t)
	t.Run("done", func(t *testing.T) {
		there := run(t, storagetest.S3URL(t, nil)(), "quickstart/plan.yaml", args...)
		if there.Code != 0 || here != fmt.Sprint(there.digests()) {
			t.Errorf("code %d; digests here %s, there %v", there.Code, here, there.digests())
		}
		logs, _ := filepath.Glob(filepath.Join(folder, "logs", "*"))
		programs, err := filepath.Glob(filepath.Join(folder, "programs", "*"))
		if len(logs) != 0 || len(programs) != 1 || err != nil {
			t.Errorf("left there: logs %v, programs %v (%v)", logs, programs, err)
		}
	})
	t.Run("runner killed", func(t *testing.T) {
		url := storagetest.S3URL(t, nil)()
		killWhileElsewhere(t, url, args)
		again := run(t, url, "quickstart/plan.yaml", args...)
		if again.Code != 0 || here != fmt.Sprint(again.digests()) {
			t.Errorf("code %d; digests here %s, there %v", again.Code, here, again.digests())
		}
		if n := strings.Count(cluster.Run("squeue", "-h", "-t", "all", "-o", "%k"), "stage train attempt 1"); n != 2 {
			t.Errorf("%d jobs ran in all, want one for each of two trainings", n)
		}
	})
	t.Run("doctor", func(t *testing.T) {
		url := storagetest.S3URL(t, nil)()
		for executor, want := range map[string][]string{
			"cluster": {"job ok|submitted; limits: queue 10m|", "device bad|no NVIDIA GPU|", "store ok|written, read and deleted|", "encoder ok||", "disk ok||"},
			"nowhere": {"nowhere bad|partition|executors.nowhere.partition"},
		} {
			cmd := exec.Command(sprint(t), "doctor", "-o", "json", "--store", url, "--config", config, "--executor", executor)
			out, _ := cmd.Output() // the code is looked at
			if code := cmd.ProcessState.ExitCode(); code != 4 {
				t.Errorf("%s: code %d", executor, code)
			}
			for _, finding := range want {
				if !found(t, string(out), finding) {
					t.Errorf("%s: no %q in\n%s", executor, finding, out)
				}
			}
		}
		if left := keys(t, url, "probe/") + keys(t, url, "runs/"); left != "" {
			t.Errorf("the store has %s", left)
		}
	})
	t.Run("refused", func(t *testing.T) {
		url := storagetest.S3URL(t, nil)()
		refused := run(t, url, "quickstart/plan.yaml", append(args[:6:6], "--executor", "train=nowhere")...)
		if refused.Code != 4 || strings.Contains(refused.states(), "failed") && !strings.Contains(refused.Error, "partition") {
			t.Errorf("code %d, %s: %s", refused.Code, refused.states(), refused.Error)
		}
	})
	if left := cluster.Jobs(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}
