//go:build e2e && cluster

package kubernetestest

import (
	"net/http"
	"os"
	"testing"
	"time"
)

// TestProgram builds the cluster's program once, which takes a quarter of an hour; what
// else needs it does not wait so long.
func TestProgram(t *testing.T) {
	if os.Getenv("CLUSTER_BUILD") == "" {
		t.Skip("CLUSTER_BUILD is not set")
	}
	if err := able(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no Kubernetes here: %v", err)
		}
		t.Skipf("no Kubernetes here: %v", err)
	}
	began := time.Now()
	file, err := Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s after %s", file, time.Since(began).Round(time.Second))
}

// TestCluster: the cluster runs pods, a node's processes go with it and come back, and
// nothing is left when it ends.
func TestCluster(t *testing.T) {
	var c *Cluster
	t.Run("runs", func(t *testing.T) {
		c = Start(t, Options{Nodes: 2})
		pod := func(name string) map[string]any {
			return map[string]any{"metadata": map[string]any{"name": name}, "spec": map[string]any{
				"hostNetwork": true, "restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
				"containers": []any{map[string]any{
					"name": "one", "image": c.Image, "command": []string{"sh", "-c", "[ -n \"$NVIDIA_VISIBLE_DEVICES\" ] && exec sleep 1000"},
					"resources": map[string]any{"limits": map[string]any{"nvidia.com/gpu": "1"}},
				}},
			}}
		}
		c.Must(http.MethodPost, c.PodsPath(), pod("first"))
		c.Must(http.MethodPost, c.PodsPath(), pod("second"))
		c.Await(time.Minute, "two pods", func() bool {
			pods := c.Pods()
			return len(pods) == 2 && pods[0].Status.Phase == "Running" && pods[1].Status.Phase == "Running"
		})
		if n := len(c.Workers()); n != 2 {
			t.Errorf("%d workers run, want 2", n)
		}
		c.KillNode(0)
		if n := len(c.Workers()); n != 1 {
			t.Errorf("%d workers run after the loss of a node, want 1", n)
		}
		c.Await(time.Minute, "the loss to be noticed", func() bool { return !c.Ready(0) })
		c.StartNode(0)
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
