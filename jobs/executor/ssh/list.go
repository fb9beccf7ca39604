package ssh

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

var _ executor.Lister = (*Provider)(nil)

// listScript prints the jobs of which a process runs here, also those whose folder is
// gone: a word for the phase, the second in which the job began, and its name.
const listScript = `
grep -hzas '^SPRINT_JOB=' /proc/[0-9]*/environ | tr '\0' '\n' | cut -d= -f2 | sort -u | while read -r id; do
	case $id in */*|.*) continue;; esac
	at=$(stat -c %Y "jobs/$id/pid" 2>/dev/null) || at=0
	phase=running; [ -f "jobs/$id/queued" ] && phase=queued
	echo "$phase $at $id"
done
`

// List asks every host. One that does not answer is an error, beside what the others say.
func (p *Provider) List(ctx context.Context) ([]executor.Listed, error) {
	answers, errs := make([][]executor.Listed, len(p.Hosts)), make([]error, len(p.Hosts))
	var all sync.WaitGroup
	for i, host := range p.Hosts {
		all.Go(func() {
			out, err := p.output(ctx, host, p.script(listScript), nil, answerTime)
			answers[i], errs[i] = listed(host, out), err
		})
	}
	all.Wait()
	var out []executor.Listed
	for _, a := range answers {
		out = append(out, a...)
	}
	return out, errors.Join(errs...)
}

// listed reads the lines of listScript.
func listed(host, text string) (out []executor.Listed) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || !executor.IsJobID(f[2]) {
			continue
		}
		l := executor.Listed{Handle: handle(host, f[2]), ID: f[2], Status: executor.Status{Phase: executor.Phase(f[0]), Node: host}}
		if at, err := strconv.ParseInt(f[1], 10, 64); err == nil && at > 0 {
			l.Since = time.Unix(at, 0)
		}
		out = append(out, l)
	}
	return out
}
