//go:build e2e

package ssh_test

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
	"github.com/sprint-ml/sprint/jobs/executor/ssh"
	"github.com/sprint-ml/sprint/jobs/executor/ssh/sshtest"
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

// pool makes a provider over the hosts.
func pool(t *testing.T, h *sshtest.Hosts, change func(*ssh.Options)) *ssh.Provider {
	t.Helper()
	o := ssh.Options{Hosts: h.Names, Slots: 2, Folder: ".cache/sprint/ssh", Config: h.Config, LostTime: 1e11}
	if change != nil {
		change(&o)
	}
	p, err := ssh.New("gpu", o, os.Getenv, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func elsewhere(t *testing.T, p executor.Provider, store *storage.Store, env ...string) *remote.Executor {
	t.Helper()
	variables := map[string]string{}
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		variables[k] = v
	}
	return &remote.Executor{
		Name: "gpu", Provider: p, Store: store, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Env: variables,
		Program: func(context.Context) (executor.Program, error) { return testProgram() },
	}
}

func TestConformance(t *testing.T) {
	hosts := sshtest.Start(t, 2)
	executortest.Run(t, executortest.Subject{
		New: func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
			return elsewhere(t, pool(t, hosts, nil), store, env...)
		},
		Kind: "slow", Output: "end", Process: true, Elsewhere: true,
	})
}
