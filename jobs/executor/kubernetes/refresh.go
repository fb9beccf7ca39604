package kubernetes

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

const levelWarn = slog.LevelWarn

func attr(key, value string) slog.Attr { return slog.String(key, value) }

// refreshAfter is the age at which an address of a job that still waits is signed anew.
const refreshAfter = 45 * time.Minute

// programs are those of the jobs that this process submitted or adopted.
type programs struct {
	mu   sync.Mutex
	jobs map[string]*signedProgram
}

// signedProgram is a program and when its address was last signed; the zero time is unknown.
type signedProgram struct {
	program executor.Program
	signed  time.Time
}

func (p *programs) remember(name string, program executor.Program, signed time.Time) {
	if program.URL == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.jobs == nil {
		p.jobs = map[string]*signedProgram{}
	}
	p.jobs[name] = &signedProgram{program, signed}
}

func (p *programs) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.jobs, name)
}

// stale is a program whose address must be signed anew; nil is none.
func (p *programs) stale(name string, now time.Time) *executor.Program {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.jobs[name]
	if s == nil || now.Sub(s.signed) < refreshAfter {
		return nil
	}
	s.signed = now // a failure is tried again when the next one is due
	return &s.program
}

// refresh gives a job that still waits a new address of its program: one that queues
// for longer than an address is valid could fetch nothing.
func (f *following) refresh(ctx context.Context) {
	pods := f.snapshot().pods
	i := current(pods)
	if i >= 0 && (over(&pods[i]) || stateOf(&pods[i]).Running != nil || stateOf(&pods[i]).Terminated != nil) || i < 0 && !f.job.Spec.Suspend {
		return
	}
	program := f.p.programs.stale(f.name, time.Now())
	if program == nil {
		return
	}
	address, err := program.URL(ctx, addressValid)
	if err == nil {
		annotations := map[string]any{"metadata": map[string]any{"annotations": map[string]string{annotationProgram: address}}}
		c := call{method: http.MethodPatch, path: f.p.jobs(f.name), media: mediaMerge, body: map[string]any{"spec": map[string]any{"template": annotations}}}
		if i >= 0 {
			c.path, c.body = f.p.pods(pods[i].Metadata.Name), annotations
		}
		err = f.p.api.do(ctx, c)
	}
	if err != nil {
		f.p.log.LogAttrs(ctx, levelWarn, "a job that waits gets no new address of its program", attr("job", f.name), attr("error", err.Error()))
	}
}
