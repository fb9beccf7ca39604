//go:build e2e

package ssh_test

import (
	"log/slog"
	"os"
	"testing"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/ssh"
	"github.com/sprint-ml/sprint/jobs/executor/ssh/sshtest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

func TestMain(m *testing.M) { os.Exit(jobstest.Main(m, nil)) }

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

func TestConformance(t *testing.T) {
	hosts := sshtest.Start(t, 2)
	executortest.Run(t, executortest.Subject{
		New: func(t *testing.T, store *storage.Store, env ...string) executor.Executor {
			return executortest.Remote(t, pool(t, hosts, nil), store, env...)
		},
		Kind: "slow", Output: "end", Process: true, Elsewhere: true,
	})
}
