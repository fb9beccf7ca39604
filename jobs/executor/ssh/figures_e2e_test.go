//go:build e2e

package ssh_test

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/jobs"
	"github.com/sprint-ml/sprint/jobs/executor/executortest"
	"github.com/sprint-ml/sprint/jobs/executor/ssh"
	"github.com/sprint-ml/sprint/jobs/executor/ssh/sshtest"
	"github.com/sprint-ml/sprint/jobs/jobstest"
)

// timed is how long a plan takes on hosts, or here without any.
func timed(b *testing.B, hosts *ssh.Provider, plan string) time.Duration {
	b.Helper()
	at := jobstest.NewBench(b, plan)
	at.Tweak = func(r *jobs.Runner) {
		r.Parallel = 60
		if hosts != nil {
			r.Executor = executortest.Remote(b, hosts, at.Store)
		}
	}
	began := time.Now()
	res, err := at.Run()
	if err != nil || res.Code != 0 {
		b.Fatalf("%v, %+v", err, res)
	}
	return time.Since(began)
}

// hostsOf starts real servers, and copies the program to each.
func hostsOf(b *testing.B, n int) *ssh.Provider {
	b.Helper()
	h := sshtest.Start(b, n)
	p, err := ssh.New("gpu", ssh.Options{Hosts: h.Names, Slots: 2, Folder: ".cache/sprint/ssh", Config: h.Config, LostTime: 100 * time.Second}, os.Getenv, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	})
	timed(b, p, stagesOf("first", 3*n, 1, "1s")) // as many as the hosts have slots, and more
	return p
}

// stagesOf is a plan of n stages that have nothing to wait for.
func stagesOf(name string, n, times int, pace string) string {
	var plan strings.Builder
	fmt.Fprintf(&plan, "name: %s\nstages:\n", name)
	for i := range n {
		fmt.Fprintf(&plan, "  - {name: s%d, kind: slow, needs: [], with: {text: %s%d, times: %d, pace: %s}}\n", i, name, i, times, pace)
	}
	return plan.String()
}

// BenchmarkOverhead is what a stage of one second costs on a host beyond what it costs here,
// the median; 0.5 s is the mark.
func BenchmarkOverhead(b *testing.B) {
	p := hostsOf(b, 1)
	var over []float64
	for n := 0; b.Loop(); n++ {
		plan := stagesOf(fmt.Sprint("run", n), 1, 1, "1s")
		here := timed(b, nil, plan)
		over = append(over, (timed(b, p, plan) - here).Seconds())
	}
	slices.Sort(over)
	b.ReportMetric(over[len(over)/2], "s-overhead")
}

// BenchmarkSixty is the part of the slots' time in which sixty stages of five seconds do
// their work on three hosts with two slots each; 80 % is the mark.
func BenchmarkSixty(b *testing.B) {
	p := hostsOf(b, 3)
	var took time.Duration
	n := 0
	for ; b.Loop(); n++ {
		took += timed(b, p, stagesOf(fmt.Sprint("run", n), 60, 5, "1s"))
	}
	b.ReportMetric(100*60*5/6/(took.Seconds()/float64(n)), "%-of-slots")
}
