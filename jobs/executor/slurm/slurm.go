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
//	list.go     which jobs of ours the queue has
//	probe.go    a cluster is tried before anything is submitted
package slurm

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
)

// Options are those of an executor of kind slurm.
type Options struct {
	Login       string        `yaml:"login" doc:"where ssh goes to find sbatch, squeue, scontrol and scancel, as ssh names it; without it they are on this machine"`
	SSHConfig   string        `yaml:"ssh_config" path:"true" doc:"ssh's configuration file, in the place of your own"`
	Folder      string        `yaml:"folder" default:".cache/sprint/slurm" doc:"folder of programs and logs that the login node and all nodes see; relative to the home folder"`
	Partition   string        `yaml:"partition" doc:"the partition of jobs; the cluster's default without it"`
	QOS         string        `yaml:"qos" doc:"their quality of service"`
	Account     string        `yaml:"account" doc:"the account that they are charged to"`
	Constraint  string        `yaml:"constraint" doc:"features that their nodes must have, for example a100&nvlink"`
	Reservation string        `yaml:"reservation" doc:"the reservation that they use"`
	Preemptible Preemptible   `yaml:"preemptible"`
	Secrets     []string      `yaml:"secrets" doc:"names of variables that workers need: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]; their values come from the environment in which sbatch runs, or from secrets_file"`
	SecretsFile string        `yaml:"secrets_file" doc:"a file on the nodes with lines NAME=VALUE for a shell, which its owner alone may read; relative to the home folder"`
	Poll        time.Duration `yaml:"poll" default:"5s" min:"500ms" doc:"the longest time between two questions to the cluster"`
}

// Preemptible is where jobs go that others may push aside, for stages that demand it.
type Preemptible struct {
	Partition string `yaml:"partition" doc:"the partition of stages with preemptible: true, in the place of partition"`
	QOS       string `yaml:"qos" doc:"their quality of service, in the place of qos"`
}

// fill sets what has a default, for callers that decoded no config.
func (o *Options) fill() {
	o.Folder = cmp.Or(o.Folder, ".cache/sprint/slurm")
	o.Poll = cmp.Or(o.Poll, 5*time.Second)
}

// Provider starts workers as jobs of a Slurm cluster.
type Provider struct {
	name  string // the config's word for it
	o     Options
	shell shell
	place place
	queue queue
	tries time.Duration // between two tries of a command that may go better
	tick  time.Duration // the shortest time between two questions
}

// The interfaces that a Provider has.
var (
	_ executor.Provider = (*Provider)(nil)
	_ executor.Logger   = (*Provider)(nil)
	_ executor.Prober   = (*Provider)(nil)
)

// New makes a provider of that name in the config, whose commands have the environment
// environ. It starts nothing. Close ends its connections.
func New(name string, o *Options, environ []string) (*Provider, error) {
	p := &Provider{name: name, o: *o, tries: time.Second, tick: 500 * time.Millisecond}
	p.o.fill()
	p.shell = shell{login: o.Login, config: o.SSHConfig, environ: environ}
	if o.Login != "" {
		control, err := os.MkdirTemp("", "sprint-slurm-")
		if err != nil {
			return nil, err
		}
		p.shell.control = control
	}
	p.place = place{shell: p.shell, folder: p.o.Folder, name: name, turn: make(chan struct{}, 1), programs: map[string]bool{}}
	p.queue = queue{shell: p.shell, turn: make(chan struct{}, 1), watched: map[string]int{}}
	return p, nil
}

// Close ends the connection to the login node. Jobs go on.
func (p *Provider) Close() error { return p.shell.close() }

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
