//go:build e2e

package ssh_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/ssh"
	"github.com/sprint-ml/sprint/jobs/executor/ssh/sshtest"
	"github.com/sprint-ml/sprint/storage"
)

// figures are of hosts with two slots each.
func figures(b *testing.B, hosts int) executortest.Place {
	h := sshtest.Start(b, hosts)
	p, err := ssh.New("gpu", ssh.Options{Hosts: h.Names, Slots: 2, Folder: ".cache/sprint/ssh", Config: h.Config, LostTime: 100 * time.Second}, os.Getenv, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	})
	return executortest.Place{Slots: 2 * hosts, New: func(b *testing.B, store *storage.Store) executor.Executor {
		return executortest.Remote(b, p, store)
	}}
}

// BenchmarkOverhead has its mark at 0.5 s.
func BenchmarkOverhead(b *testing.B) { executortest.Overhead(b, figures(b, 1)) }

// BenchmarkSixty has its mark at 80 %.
func BenchmarkSixty(b *testing.B) { executortest.Sixty(b, figures(b, 3)) }
