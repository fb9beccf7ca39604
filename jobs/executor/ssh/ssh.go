// Package ssh starts workers on machines that are reached by OpenSSH. The user's own
// configuration, agent and jump hosts count; a host whose key is unknown is refused.
//
//	ssh.go      Options, and Provider: submit, watch, cancel
//	connect.go  one command on a host, and what its failure means
//	scripts.go  what runs there, in POSIX shell
//	list.go     which jobs hosts have
//	probe.go    what a host has, before anything is submitted
//
// A job is a folder on the host and a session of processes that outlives the
// connection. A slot of the host, one for each GPU, is a locked file: it is free when
// every process of its job is gone.
package ssh

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Options are those of an executor of kind ssh.
type Options struct {
	Hosts    []string      `yaml:"hosts" required:"true" min:"1" max:"64" doc:"machines as ssh names them: an alias of your ssh config, or user@host"`
	Slots    int           `yaml:"slots" default:"1" min:"1" max:"64" doc:"jobs that run at once on each host; with gpus one for each of these"`
	GPUs     int           `yaml:"gpus" default:"0" min:"0" max:"64" doc:"GPUs of each host; a job gets one"`
	Folder   string        `yaml:"folder" default:".cache/sprint/ssh" doc:"folder of programs and jobs there; relative to the home folder"`
	Secrets  []string      `yaml:"secrets" doc:"names of variables of this machine that workers get through the connection: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]"`
	Config   string        `yaml:"ssh_config" path:"true" doc:"ssh's configuration file, in the place of your own"`
	LostTime time.Duration `yaml:"lost_after" default:"3m" min:"1s" doc:"a host that does not answer for so long is lost"`
}

// Provider is a pool of hosts.
type Provider struct {
	// Name is the config's word for it.
	Name string
	Options
	// Getenv gives the values of Secrets.
	Getenv func(string) string
	Log    *slog.Logger

	control string // folder of the sockets of connections that are shared

	mu     sync.Mutex
	mine   map[string]int         // jobs by host that this process watches
	copies map[string]*sync.Mutex // of a host: its program is copied once
}

// New makes a pool. Close ends its connections.
func New(name string, o Options, getenv func(string) string, log *slog.Logger) (*Provider, error) {
	control, err := os.MkdirTemp("", "sprint-ssh-")
	if err != nil {
		return nil, err
	}
	p := &Provider{Name: name, Options: o, Getenv: getenv, Log: log, control: control, mine: map[string]int{}, copies: map[string]*sync.Mutex{}}
	for _, h := range o.Hosts {
		p.copies[h] = &sync.Mutex{}
	}
	return p, nil
}

// slots are those of one host.
func (p *Provider) slots() int { return cmp.Or(p.GPUs, p.Slots, 1) }

// handle names a job on a host.
func handle(host, id string) executor.Handle { return executor.Handle(host + "/" + id) }

func split(h executor.Handle) (host, id string) {
	i := strings.LastIndexByte(string(h), '/')
	return string(h[:max(i, 0)]), string(h[i+1:])
}

// found is what a host says when it is asked for a job.
type found struct {
	host    string
	there   bool
	program bool // it has the program
	busy    int  // jobs that are there
	err     error
}

// Submit asks every host for the job, and starts it on the one with most room.
func (p *Provider) Submit(ctx context.Context, job *executor.Job) (executor.Handle, error) {
	if job.Resources.GPUs > 1 {
		return "", stages.Fail(stages.CodeEnvironment, "set resources.gpus of the stage to 1, or choose another executor", "%s gives one GPU to a job, and the stage asks for %d", p.Name, job.Resources.GPUs)
	}
	answers := p.find(ctx, job)
	for _, a := range answers {
		if a.there {
			return handle(a.host, job.ID), nil
		}
	}
	p.mu.Lock()
	answers = slices.DeleteFunc(answers, func(a found) bool { return a.err != nil })
	if len(answers) == 0 {
		p.mu.Unlock()
		return "", p.noHost(ctx, job)
	}
	best := slices.MinFunc(answers, func(a, b found) int { return cmp.Compare(max(a.busy, p.mine[a.host]), max(b.busy, p.mine[b.host])) })
	p.mine[best.host]++
	p.mu.Unlock()
	h, err := p.start(ctx, best.host, job, best.program)
	p.mu.Lock()
	p.mine[best.host]-- // Watch counts it
	p.mu.Unlock()
	return h, err
}

// noHost is the error of a pool of which no host answers: the one of the first that a
// second try does not heal.
func (p *Provider) noHost(ctx context.Context, job *executor.Job) error {
	var errs []error
	for _, a := range p.find(ctx, job) {
		if a.err == nil {
			return stages.Lose(stages.CodeEnvironment, "", "%s did not answer a moment ago", a.host)
		}
		if executor.CauseOf(a.err) == "" {
			return a.err
		}
		errs = append(errs, a.err)
	}
	return errors.Join(errs...)
}

func (p *Provider) find(ctx context.Context, job *executor.Job) []found {
	answers := make([]found, len(p.Hosts))
	var all sync.WaitGroup
	for i, host := range p.Hosts {
		all.Go(func() {
			a := found{host: host}
			var out string
			if out, a.err = p.output(ctx, host, p.script(findScript, job.ID, job.Program.Digest), nil, answerTime); a.err == nil {
				var there, program int
				if _, err := fmt.Sscanf(out, "there %d program %d busy %d", &there, &program, &a.busy); err != nil {
					a.err = stages.Lose(stages.CodeEnvironment, "its login shell must print nothing by itself", "%s answers %q", host, shorten(out))
				}
				a.there, a.program = there == 1, program == 1
			}
			answers[i] = a
		})
	}
	all.Wait()
	for _, a := range answers {
		if a.err != nil && ctx.Err() == nil {
			p.Log.Warn("a host does not take jobs now", "executor", p.Name, "host", a.host, "error", a.err)
		}
	}
	return answers
}

// start copies the program where it is missing, and starts the job.
func (p *Provider) start(ctx context.Context, host string, job *executor.Job, program bool) (executor.Handle, error) {
	if !program {
		if err := p.copyProgram(ctx, host, job); err != nil {
			return "", err
		}
	}
	variables, err := p.variables(job)
	if err != nil {
		return "", err
	}
	line := p.script(startScript, job.ID, job.Script(), strconv.Itoa(p.slots()), strconv.Itoa(p.GPUs))
	out, err := p.output(ctx, host, line, strings.NewReader(variables), answerTime)
	if err != nil {
		return "", err
	}
	if out != "started" && out != "there" {
		return "", stages.Lose(stages.CodeEnvironment, "", "%s answers %q to the start of a job", host, shorten(out))
	}
	return handle(host, job.ID), nil
}

// variables are the worker's, as lines of shell: they go through the connection, and
// are in no file and in no argument.
func (p *Provider) variables(job *executor.Job) (string, error) {
	all := maps.Clone(job.Env)
	if all == nil {
		all = map[string]string{}
	}
	for _, name := range slices.Concat(p.Secrets, job.Secrets) {
		if !slices.Contains(p.Secrets, name) {
			return "", p.missing(name, fmt.Sprintf("add %s to executors.%s.secrets", name, p.Name))
		}
		value := p.Getenv(name)
		if value == "" {
			return "", p.missing(name, fmt.Sprintf("set %s here, or take it out of executors.%s.secrets", name, p.Name))
		}
		all[name] = value
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, executor.Quote(all[name]))
	}
	return b.String(), nil
}

func (p *Provider) missing(name, hint string) error {
	return stages.Fail(stages.CodeEnvironment, hint, "workers of %s need the variable %s, which they do not get", p.Name, name)
}

func (p *Provider) copyProgram(ctx context.Context, host string, job *executor.Job) error {
	p.copies[host].Lock()
	defer p.copies[host].Unlock()
	r, err := job.Program.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	out, err := p.output(ctx, host, p.script(copyScript, job.Program.Digest), r, 0)
	if err == nil && out != "copied" && out != "there" {
		err = stages.Lose(stages.CodeEnvironment, "its disk may be full: `sprint doctor --executor "+p.Name+"` tells", "%s did not take the program: %q", host, shorten(out))
	}
	return err
}

// Watch follows a job. The host prints each change, and a sign of life between them.
func (p *Provider) Watch(ctx context.Context, h executor.Handle, report func(executor.Status)) (executor.Status, error) {
	host, id := split(h)
	p.count(host, 1)
	defer p.count(host, -1)
	last := executor.Status{Phase: executor.PhaseQueued, Node: host}
	report(last)
	heard := time.Now()
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := p.lines(ctx, host, p.script(watchScript, id), func(line string) {
			heard, wait = time.Now(), 200*time.Millisecond
			if s, ok := status(host, line); ok && s != last {
				last = s
				if s.Phase != executor.PhaseEnded {
					report(s)
				}
			}
		})
		switch {
		case last.Phase == executor.PhaseEnded:
			return last, nil
		case ctx.Err() != nil:
			return last, ctx.Err()
		case executor.CauseOf(err) == "" && err != nil:
			return last, err
		case time.Since(heard) > p.LostTime:
			return executor.Status{Phase: executor.PhaseEnded, Node: host, Lost: true, Reason: fmt.Sprintf("it has not answered for %s: %v", p.LostTime, err)}, nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (p *Provider) count(host string, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mine[host] += by
}

// status reads a line of watchScript.
func status(host, line string) (executor.Status, bool) {
	word, rest, _ := strings.Cut(line, " ")
	s := executor.Status{Node: host, Phase: executor.PhaseEnded}
	switch word {
	case "queued":
		s.Phase, s.Reason = executor.PhaseQueued, "all slots are taken"
	case "running":
		s.Phase = executor.PhaseRunning
	case "ended":
		code, err := strconv.Atoi(strings.TrimSpace(rest))
		s.ExitCode, s.Known = code, err == nil
	case "memory":
		s.ExitCode, s.Known, s.OutOfMemory = 137, true, true
	case "killed":
		s.Lost, s.Reason = true, "its processes are gone without an end"
	case "rebooted":
		s.Lost, s.Reason = true, "the machine was started again"
	case "gone":
		s.Gone, s.Reason = true, "its folder there is gone"
	default:
		return s, false
	}
	return s, true
}

// Cancel ends every process of a job and removes its folder.
func (p *Provider) Cancel(ctx context.Context, h executor.Handle, grace time.Duration) error {
	host, id := split(h)
	tenths := strconv.Itoa(int(grace / (100 * time.Millisecond)))
	for wait := 500 * time.Millisecond; ; wait *= 2 {
		out, err := p.output(ctx, host, p.script(cancelScript, id, tenths), nil, grace+answerTime)
		if err == nil && out != "gone" {
			err = stages.Fail(stages.CodeEnvironment, fmt.Sprintf("look at them: ssh %s ps -p %s", host, strings.ReplaceAll(out, " ", ",")), "processes of the job %s are left on %s: %s", id, host, shorten(out))
		}
		if err == nil || executor.CauseOf(err) == "" || wait > 30*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// Logs copies what the worker printed.
func (p *Provider) Logs(ctx context.Context, h executor.Handle, w io.Writer) error {
	host, id := split(h)
	out, err := p.output(ctx, host, p.script(logScript, id), nil, 5*answerTime)
	if err == nil {
		_, err = io.WriteString(w, out)
	}
	return err
}

// shorten keeps a host's words short in a message.
func shorten(text string) string {
	line, err := bufio.NewReader(strings.NewReader(text)).ReadString('\n')
	if err == nil {
		line = strings.TrimSpace(line) + " ..."
	}
	return line[:min(len(line), 200)]
}

var (
	_ executor.Provider = (*Provider)(nil)
	_ executor.Logger   = (*Provider)(nil)
	_ executor.Prober   = (*Provider)(nil)
)
