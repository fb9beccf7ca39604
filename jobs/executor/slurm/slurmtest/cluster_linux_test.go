//go:build e2e

package slurmtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCluster: the cluster runs jobs, a lost node's job goes to another, and nothing is
// left when it ends.
func TestCluster(t *testing.T) {
	var c *Cluster
	t.Run("runs", func(t *testing.T) {
		c = Start(t, Options{})
		script := filepath.Join(c.Dir, "job.sh")
		if err := os.WriteFile(script, []byte("#!/bin/sh\n[ ${SLURM_RESTART_COUNT:-0} = 0 ] && sleep 1000\necho on $CUDA_VISIBLE_DEVICES\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		id := strings.TrimSpace(c.Run("sbatch", "--parsable", "--export=NONE", "--requeue", "--gres=gpu:h100:1", "--output="+c.Dir+"/out", script))
		name := ""
		c.Await(10*time.Second, "a node", func() bool {
			name = strings.TrimSpace(c.Try("squeue", "-h", "-j", id, "-t", "running", "-o", "%N"))
			return name != "" && len(c.Jobs()) > 0
		})
		c.KillNode(c.NodeNumber(name))
		if left := c.Jobs(); len(left) > 0 {
			t.Errorf("processes %v survive their node", left)
		}
		c.Await(60*time.Second, "a second start", func() bool {
			c.Try("scontrol", "update", "jobid="+id, "StartTime=now")
			text, _ := os.ReadFile(filepath.Join(c.Dir, "out"))
			return string(text) == "on 0\n"
		})
	})
	if c == nil {
		return
	}
	if left := c.processes(""); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if _, err := os.Stat(c.Dir); err == nil {
		t.Errorf("%s is left", c.Dir)
	}
}
