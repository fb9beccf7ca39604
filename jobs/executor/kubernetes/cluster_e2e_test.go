//go:build e2e && cluster && linux

package kubernetes_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/kubernetes"
	"github.com/sprint-ml/sprint/jobs/executor/kubernetes/kubernetestest"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// startCluster starts a cluster that keeps the store's credentials, in which a driver
// may do what examples/kubernetes/rbac.yaml says.
func startCluster(t testing.TB, gpus int) *kubernetestest.Cluster {
	t.Helper()
	c := kubernetestest.Start(t, kubernetestest.Options{GPUs: gpus, Role: "../../../examples/kubernetes/rbac.yaml"})
	c.Must(http.MethodPost, "/api/v1/namespaces/"+c.Namespace+"/secrets", map[string]any{
		"metadata": map[string]any{"name": "store"}, "stringData": map[string]string{"id": "test", "secret": "test"},
	})
	c.Must(http.MethodPost, "/apis/scheduling.k8s.io/v1/priorityclasses", map[string]any{
		"metadata": map[string]any{"name": "urgent"}, "value": 1000,
	})
	return c
}

// provider is the cluster as the driver's own provider of it.
func provider(t testing.TB, c *kubernetestest.Cluster) *kubernetes.Provider {
	t.Helper()
	p, err := kubernetes.New(&kubernetes.Options{
		Kubeconfig: c.Kubeconfig, Image: c.Image, User: 65532, HostNetwork: true, Unreachable: 3 * time.Second,
		Secrets: map[string]string{"AWS_ACCESS_KEY_ID": "store/id", "AWS_SECRET_ACCESS_KEY": "store/secret"},
	}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// elsewhere is the executor over the cluster, whose attempts ask for a GPU.
func elsewhere(t testing.TB, c *kubernetestest.Cluster, store *storage.Store, env ...string) *remote.Executor {
	t.Helper()
	e := executortest.Remote(t, provider(t, c), store, env...)
	e.Secrets = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
	e.Resources = func(*runs.Attempt) executor.Resources { return executor.Resources{GPUs: 1} }
	return e
}

// openStore is an empty store that pods reach.
func openStore(t testing.TB) *storage.Store {
	t.Helper()
	s, err := storage.Open(t.Context(), storagetest.S3URL(t, nil)(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestCluster tries all that a cluster does to the work of a run, on one cluster.
func TestCluster(t *testing.T) {
	c := startCluster(t, 1)
	t.Run("conformance", func(t *testing.T) {
		executortest.Run(t, executortest.Subject{
			New: func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
				return elsewhere(t, c, store, env...)
			},
			Store: func(t *testing.T) *storage.Store { return openStore(t) },
			Kind:  "slow", Output: "end", Process: true, Elsewhere: true,
		})
	})
	t.Run("six stages", func(t *testing.T) { testSixStages(t, c.In(t)) })
	t.Run("cancelled", func(t *testing.T) { testCancelled(t, c.In(t)) })
	t.Run("preempted", func(t *testing.T) { testPreempted(t, c.In(t)) })
	t.Run("launched twice", func(t *testing.T) { testLaunchedTwice(t, c.In(t)) })
	t.Run("node lost", func(t *testing.T) { testNodeLost(t, c.In(t)) })
	if left := c.Workers(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	if left := c.Jobs(); len(left) > 0 {
		t.Errorf("jobs %v are left", left)
	}
}

// deaf is a program that hears no signal, and starts others that hear none.
const deaf = "#!/bin/sh\ntrap '' TERM INT HUP\nsleep 600 &\nsleep 601 &\nwhile :; do wait; done\n"

// testCancelled: a worker that does not listen is ended after the grace time with all
// that it started, and nothing of its job is left.
func testCancelled(t *testing.T, c *kubernetestest.Cluster) {
	p := provider(t, c)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(deaf)) }))
	t.Cleanup(server.Close)
	sum := sha256.Sum256([]byte(deaf))
	job := &executor.Job{
		ID: executor.JobID("run", "deaf", 1, "deaf"), Run: "run", Stage: "deaf", Attempt: 1, Argv: []string{"worker"},
		Program: executor.Program{
			Digest: hex.EncodeToString(sum[:]), Size: int64(len(deaf)),
			URL: func(context.Context, time.Duration) (string, error) { return server.URL, nil },
		},
		Limits: executor.Limits{Grace: time.Minute},
	}
	h, err := p.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.Submit(t.Context(), job); err != nil || again != h {
		t.Errorf("submitted again: %q, %v; want %q", again, err, h)
	}
	c.Await(time.Minute, "three processes", func() bool { return len(c.Workers()) >= 3 })
	const grace = 3 * time.Second
	began := time.Now()
	if err := p.Cancel(t.Context(), h, grace); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	if left := c.Workers(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	t.Logf("ended %s after a cancel with %s of grace", took.Round(100*time.Millisecond), grace)
	if took < grace/2 {
		t.Errorf("a deaf program ended after %s, before its grace time", took)
	}
	status, err := p.Watch(t.Context(), h, func(executor.Status) {})
	if err != nil || status.Phase != executor.PhaseEnded || status.Known && status.ExitCode != 128+9 {
		t.Errorf("status %+v, %v", status, err)
	}
	c.Await(time.Minute, "the removal of job and pod", func() bool { return len(c.Pods()) == 0 && len(c.Jobs()) == 0 })
}
