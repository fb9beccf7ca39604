// Package slurm is the place of executors where a Slurm cluster runs the jobs. It
// speaks to the cluster by its commands, sbatch, squeue, scontrol and scancel, which
// change less from version to version than its other interfaces; they run here, or on
// a login node that ssh reaches.
//
//	slurm.go    Provider and its options
//	shell.go    how commands are run, here or on a login node
//	failure.go  what their complaints mean
//	submit.go   a job is looked for, then submitted
//	script.go   what sbatch is told, and the script of a job
//	place.go    the folder that all nodes see, and the program in it
//	queue.go    what squeue says, asked once for all jobs that are watched
//	watch.go    a job is followed to its end
//	state.go    what the cluster's words for states and reasons mean
//	cancel.go   a job is ended
//	probe.go    a cluster is tried before anything is submitted
package slurm

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// Options say where the cluster is and what is asked of it. All but Name may be empty.
type Options struct {
	// Name is that of the executor in the config, for messages.
	Name string
	// Login is where ssh goes to find Slurm's commands, as user@host; without it they
	// are here.
	Login string
	// Folder is one that the login node and all nodes see. It keeps the program and the
	// jobs' logs. The default is ~/.cache/sprint/slurm.
	Folder string
	// Partition, QOS, Account, Constraint and Reservation are handed to sbatch.
	Partition, QOS, Account, Constraint, Reservation string
	// Secrets is a file on the nodes, readable by its owner alone, of lines NAME=VALUE
	// for a shell. Without it a job's secrets come from the environment in which sbatch
	// runs.
	Secrets string
	// Poll is the longest time between two questions to the cluster; 0 means 5 seconds.
	Poll time.Duration
	// Environ is the environment of the commands that run here.
	Environ []string
}

// Provider starts workers as jobs of a Slurm cluster.
type Provider struct {
	o     Options
	shell shell
	place place
	queue queue
	tries time.Duration // between two tries of a command that may go better
}

// The interfaces that a Provider has.
var (
	_ executor.Provider = (*Provider)(nil)
	_ executor.Logger   = (*Provider)(nil)
	_ executor.Prober   = (*Provider)(nil)
)

// New makes a provider. It starts nothing.
func New(o Options) *Provider {
	o.Folder = cmp.Or(o.Folder, "~/.cache/sprint/slurm")
	o.Poll = cmp.Or(o.Poll, 5*time.Second)
	p := &Provider{o: o, shell: shell{login: o.Login, environ: o.Environ}, tries: time.Second}
	p.place = place{shell: p.shell, folder: o.Folder, name: o.Name, turn: make(chan struct{}, 1), programs: map[string]bool{}}
	p.queue = queue{shell: p.shell, turn: make(chan struct{}, 1), watched: map[string]int{}}
	return p
}

// handle names a job by its number and its name: a cluster that begins to count anew
// gives the number to another.
type handle struct{ number, name string }

func (h handle) String() string { return h.number + " " + h.name }

func parseHandle(h executor.Handle) (handle, error) {
	number, name, ok := strings.Cut(string(h), " ")
	if !ok || !isNumber(number) {
		return handle{}, fmt.Errorf("%q is no job of a Slurm cluster", string(h))
	}
	return handle{number, name}, nil
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// Logs copies what a job's worker and its start printed to standard error.
func (p *Provider) Logs(ctx context.Context, h executor.Handle, w io.Writer) error {
	job, err := parseHandle(h)
	if err != nil {
		return err
	}
	at, err := p.place.get(ctx)
	if err != nil {
		return err
	}
	file := executor.Quote(at.log(job.name))
	return p.shell.run(ctx, nil, w, "if [ -f "+file+" ]; then cat "+file+"; fi")
}

// turn lets one goroutine at a time do something; the others can give up waiting.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t turn) leave() { <-t }

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
