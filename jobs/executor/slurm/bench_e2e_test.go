//go:build e2e && linux

package slurm_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/slurm"
	"github.com/sprint-ml/sprint/jobs/executor/slurm/slurmtest"
)

// program is a stand-in for the sprint binary: its first argument is what it does.
const program = `#!/bin/sh
echo "start $SLURMD_NODENAME ${SLURM_RESTART_COUNT:-0} $CUDA_VISIBLE_DEVICES $GREETING" >>"$2"
case $1 in
end) exit "$3" ;;
long) trap 'echo term >>"$2"; exit 75' TERM; while :; do sleep 0.1; done ;;
deaf) trap '' TERM; sleep 600 & sleep 601 & wait ;;
once) [ "${SLURM_RESTART_COUNT:-0}" = 0 ] && { trap 'exit 75' TERM; while :; do sleep 0.1; done; }; exit 0 ;;
secret) echo "secret $TOKEN" >>"$2" ;;
noise) echo "a word on standard error" >&2; head -c 1000000 /dev/zero ;;
esac
`

// bench is a provider over a cluster.
type bench struct {
	*slurmtest.Cluster
	t   testing.TB
	o   slurm.Options
	env []string
	*slurm.Provider
	program executor.Program
}

func provider(t testing.TB, o slurm.Options, env []string) *slurm.Provider {
	t.Helper()
	p, err := slurm.New("cluster", &o, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func newBench(t testing.TB, c *slurmtest.Cluster, change ...func(*slurm.Options, *[]string)) *bench {
	t.Helper()
	o := slurm.Options{Folder: filepath.Join(c.Dir, "shared")}
	env := c.Env()
	for _, f := range change {
		f(&o, &env)
	}
	sum := sha256.Sum256([]byte(program))
	return &bench{Cluster: c, t: t, o: o, Provider: provider(t, o, env), env: env, program: executor.Program{
		Digest: hex.EncodeToString(sum[:]), Size: int64(len(program)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(program)), nil },
	}}
}

// job makes one whose program does this.
func (b *bench) job(name, does string, args ...string) (*executor.Job, string) {
	file := filepath.Join(b.Dir, name)
	return &executor.Job{
		ID: executor.JobID("run", name, 1, name), Run: "run", Stage: name, Attempt: 1, Argv: append([]string{does, file}, args...),
		Env: map[string]string{"GREETING": "it's $HOME"}, Program: b.program,
	}, file
}

func (b *bench) submit(job *executor.Job) executor.Handle {
	b.t.Helper()
	h, err := b.Submit(b.t.Context(), job)
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

// follower watches a job and keeps what is reported.
type follower struct {
	mu   sync.Mutex
	seen []executor.Status
	end  executor.Status
	err  error
	done chan struct{}
}

func (b *bench) follow(h executor.Handle) *follower {
	f := &follower{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.end, f.err = b.Watch(b.t.Context(), h, func(s executor.Status) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.seen = append(f.seen, s)
		})
	}()
	return f
}

func (f *follower) phases() (all []executor.Phase) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.seen {
		all = append(all, s.Phase)
	}
	return slices.Compact(all)
}

func (f *follower) last() (s executor.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.seen) > 0 {
		s = f.seen[len(f.seen)-1]
	}
	return s
}

// wait waits for the end.
func (b *bench) wait(f *follower, limit time.Duration) executor.Status {
	b.t.Helper()
	b.Await(limit, "the end of a job", func() bool {
		select {
		case <-f.done:
			return true
		default:
			return false
		}
	})
	if f.err != nil {
		b.t.Fatal(f.err)
	}
	return f.end
}

func read(file string) string {
	text, _ := os.ReadFile(file)
	return string(text)
}
