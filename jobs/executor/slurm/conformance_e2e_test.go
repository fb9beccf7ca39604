//go:build e2e && linux

package slurm_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/remote"
	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

// testProgram is this test's binary, which plays the worker.
var testProgram = sync.OnceValues(func() (executor.Program, error) {
	f, err := os.Open(os.Args[0])
	if err != nil {
		return executor.Program{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return executor.Program{
		Digest: hex.EncodeToString(h.Sum(nil)), Size: n, Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Open: func(context.Context) (io.ReadCloser, error) { return os.Open(os.Args[0]) },
	}, err
})

// elsewhere is the executor over a cluster.
func elsewhere(t testing.TB, b *bench, store *storage.Store, env ...string) *remote.Executor {
	t.Helper()
	variables := map[string]string{}
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		variables[k] = v
	}
	return &remote.Executor{
		Name: "cluster", Provider: b.Provider, Store: store, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Env: variables,
		Program: func(context.Context) (executor.Program, error) { return testProgram() },
	}
}

func TestConformance(t *testing.T) {
	c := slurmtest.Start(t, slurmtest.Options{})
	b := newBench(t, c)
	executortest.Run(t, executortest.Subject{
		New: func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
			return elsewhere(t, b, store, env...)
		},
		Kind: "slow", Output: "end", Process: true, Elsewhere: true,
	})
	if left := c.Jobs(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}
