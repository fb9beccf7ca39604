//go:build e2e && cluster && linux

package examples

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor/kubernetes/kubernetestest"
	"github.com/sprint-ml/sprint/storage/storagetest"
)

// TestQuickstartByKubernetes: a training as a Job of a cluster, by a driver with the
// rights of rbac.yaml alone, makes the bytes that one here makes, and leaves nothing
// there; a runner that is killed is followed by another; the loss of the node that trains
// costs a second try. The API takes the timer that refreshes a plan, and knows all its fields.
func TestQuickstartByKubernetes(t *testing.T) {
	cluster := kubernetestest.Start(t, kubernetestest.Options{Role: "kubernetes/rbac.yaml"})
	here := trainedHere(t)
	config := kubernetesPlace(t, cluster)
	args := briefTraining("--config", config, "--executor", "train=cluster")
	same := func(t *testing.T, there result) {
		t.Helper()
		if there.Code != 0 || here != fmt.Sprint(there.digests()) {
			t.Errorf("code %d (%s); digests here %s, there %v", there.Code, there.Error, here, there.digests())
		}
		cluster.In(t).Await(time.Minute, "the removal of job and pod", func() bool { return len(cluster.Jobs()) == 0 && len(cluster.Pods()) == 0 })
	}
	t.Run("done", func(t *testing.T) {
		same(t, run(t, storagetest.S3URL(t, nil)(), "quickstart/plan.yaml", args...))
	})
	t.Run("runner killed", func(t *testing.T) {
		url := storagetest.S3URL(t, nil)()
		killWhileElsewhere(t, url, args)
		again := run(t, url, "quickstart/plan.yaml", args...)
		same(t, again)
		if own := keys(t, url, "runs/"+*again.Run+"/workers/"); own != "" {
			t.Errorf("the next run started a worker of its own: %s", own)
		}
	})
	t.Run("node lost", func(t *testing.T) {
		url := storagetest.S3URL(t, nil)()
		cmd, out, stderr := startElsewhere(t, url, args)
		for n := range 3 {
			if cluster.Holds(n) {
				cluster.KillNode(n)
				defer cluster.In(t).StartNode(n)
			}
		}
		there := finish(t, cmd, out, stderr)
		same(t, there)
		if key := keys(t, url, "runs/"+*there.Run+"/workers/train/2/"); key == "" {
			t.Error("the loss of the node cost no second try")
		}
	})
	t.Run("timer", func(t *testing.T) {
		job, err := os.ReadFile("../jobs/wrapper/testdata/schedule/kubernetes-cronjob.yaml")
		if err != nil {
			t.Fatal(err)
		}
		path := "/apis/batch/v1/namespaces/" + cluster.Namespace + "/cronjobs?dryRun=All&fieldValidation=Strict"
		cluster.In(t).Must(http.MethodPost, path, string(job))
		wrong := strings.Replace(string(job), "backoffLimit", "backofLimit", 1)
		if code := cluster.In(t).Call(http.MethodPost, path, wrong, nil); code != http.StatusBadRequest {
			t.Errorf("of a field that there is not it says %d", code)
		}
	})
	if left := cluster.Workers(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// kubernetesPlace writes a config in which the executor cluster is that cluster, whose
// claim "cache" holds the encoders and plugins of this machine, as no node has a network.
func kubernetesPlace(t *testing.T, cluster *kubernetestest.Cluster) (config string) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	volume := filepath.Join(cluster.Dir, "volume")
	if err := os.CopyFS(filepath.Join(volume, ".cache", "sprint"), os.DirFS(filepath.Join(cache, "sprint"))); err != nil {
		t.Fatal(err)
	}
	const user = 65532
	err = filepath.WalkDir(volume, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, user, user)
	})
	if err != nil {
		t.Fatal(err)
	}
	core := "/api/v1/namespaces/" + cluster.Namespace
	spec := func(more map[string]any) map[string]any {
		more["accessModes"], more["storageClassName"] = []string{"ReadWriteMany"}, ""
		return more
	}
	cluster.Must(http.MethodPost, "/api/v1/persistentvolumes", map[string]any{
		"metadata": map[string]any{"name": "cache"}, "spec": spec(map[string]any{
			"capacity": map[string]string{"storage": "10Gi"}, "hostPath": map[string]string{"path": volume},
			"claimRef": map[string]string{"namespace": cluster.Namespace, "name": "cache"},
		}),
	})
	cluster.Must(http.MethodPost, core+"/persistentvolumeclaims", map[string]any{
		"metadata": map[string]any{"name": "cache"}, "spec": spec(map[string]any{
			"volumeName": "cache", "resources": map[string]any{"requests": map[string]string{"storage": "1Gi"}},
		}),
	})
	cluster.Must(http.MethodPost, core+"/secrets", map[string]any{
		"metadata": map[string]any{"name": "store"}, "stringData": map[string]string{"id": "test", "secret": "test"},
	})
	config = filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("executors:\n  cluster:\n    kind: kubernetes\n    kubeconfig: %s\n    image: %s\n    host_network: true\n    unreachable: 3s\n    volume: cache\n    secrets: {AWS_ACCESS_KEY_ID: store/id, AWS_SECRET_ACCESS_KEY: store/secret}\n",
		cluster.Kubeconfig, cluster.Image)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}
