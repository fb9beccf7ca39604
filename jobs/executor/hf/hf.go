// Package hf is the provider of Hugging Face Jobs: containers on rented machines, by the
// hub's JSON API (https://huggingface.co/docs/hub/jobs). A job carries its ID as a label,
// by which it is found again; its place starts it once (attempts: 1), since tries are
// counted by the runner.
//
// hf.go is the provider, client.go talks to the hub, hardware.go chooses the machine and
// knows its price, list.go finds the jobs that are at the hub, logs.go reads the stream of a job's output. hftest is a stand-in for the
// hub that runs the commands of its jobs.
package hf

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Options are those of an executor of kind hf.
type Options struct {
	Namespace string        `yaml:"namespace" required:"true" doc:"the user or organisation of the hub that pays"`
	Token     string        `yaml:"token" default:"HF_TOKEN" doc:"name of the variable of this machine that holds the access token"`
	Flavor    string        `yaml:"flavor" doc:"hardware of the hub, for example t4-small; none is the cheapest that has what a stage demands"`
	Image     string        `yaml:"image" default:"python:3.12" doc:"container with a shell, CA certificates, and curl, wget or python3"`
	Secrets   []string      `yaml:"secrets" doc:"names of variables of this machine that workers get as secrets of the hub: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]"`
	Longest   time.Duration `yaml:"longest" default:"24h" min:"1m" doc:"after so long the hub ends a stage without a timeout; its own limit is half an hour"`
	Endpoint  string        `yaml:"endpoint" default:"https://huggingface.co" doc:"address of the hub"`
}

// label is that of every job of ours; its value is the job's ID.
const label = "sprint-job"

// Provider starts jobs at the hub. It is safe for concurrent use.
type Provider struct {
	name   string // the config's word for it
	o      Options
	client *client
	getenv func(string) string
	// poll is the pause between two looks at a job, at first and at most.
	poll, mostPoll time.Duration
}

// New makes the provider of an executor of that name. getenv gives the values of Token and
// Secrets: it is asked when they are sent, and none is kept. It asks the hub nothing.
func New(name string, o Options, getenv func(string) string) (*Provider, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, stages.Fail(stages.CodeEnvironment, "write it as https://host in executors."+name+".endpoint", "the endpoint of executor %s cannot be used", name)
	}
	token := func() (string, error) {
		if value := getenv(o.Token); value != "" {
			return value, nil
		}
		return "", stages.Fail(stages.CodeEnvironment, "set "+o.Token+", or name another variable in executors."+name+".token", "executor %s has no access token: %s is not set", name, o.Token)
	}
	return &Provider{name: name, o: o, client: newClient(u, token), getenv: getenv, poll: time.Second, mostPoll: 15 * time.Second}, nil
}

// info is what is read of a job; the hub may say more.
type info struct {
	ID      string            `json:"id"`
	Labels  map[string]string `json:"labels"`
	Flavor  string            `json:"flavor"`
	Created string            `json:"createdAt"`
	// When it began and ended on its machine; empty before.
	Started  string `json:"startedAt"`
	Finished string `json:"finishedAt"`
	Status   struct {
		Stage   string `json:"stage"`
		Message string `json:"message"`
	} `json:"status"`
}

// Stages of a job at the hub; others are taken as alive.
const (
	stageScheduling = "SCHEDULING"
	stageCompleted  = "COMPLETED"
	stageCanceled   = "CANCELED"
	stageError      = "ERROR"
	stageDeleted    = "DELETED"
)

func (i *info) ended() bool {
	return slices.Contains([]string{stageCompleted, stageCanceled, stageError, stageDeleted}, i.Status.Stage)
}

func (p *Provider) path(parts ...string) string {
	path := "/api/jobs/" + url.PathEscape(p.o.Namespace)
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// find returns the job of an ID: one that lives before one that has ended.
func (p *Provider) find(ctx context.Context, id string) (*info, error) {
	var found *info
	err := p.pages(ctx, p.path()+"?"+url.Values{"label": {label + "=" + id}}.Encode(), func(one *info) {
		// A hub that does not know the filter lists them all.
		if one.Labels[label] == id && (found == nil || found.ended() && !one.ended()) {
			found = one
		}
	})
	return found, err
}

// pages reads the list of jobs at a path, page by page.
func (p *Provider) pages(ctx context.Context, next string, each func(*info)) error {
	for pages := 0; next != "" && pages < maxPages; pages++ {
		var page []info
		header, err := p.client.do(ctx, http.MethodGet, next, nil, &page)
		if err != nil {
			return err
		}
		for i := range page {
			each(&page[i])
		}
		next = p.client.next(header)
	}
	return nil
}

// maxPages bounds what is read of the list of jobs.
const maxPages = 50

// spec is the body of a submission.
type spec struct {
	Image       string            `json:"dockerImage"`
	Command     []string          `json:"command"`
	Arguments   []string          `json:"arguments"`
	Environment map[string]string `json:"environment"`
	Secrets     map[string]string `json:"secrets,omitempty"`
	Flavor      string            `json:"flavor"`
	Timeout     int               `json:"timeoutSeconds"`
	Attempts    int               `json:"attempts"`
	Labels      map[string]string `json:"labels"`
}

// Submit starts the job, or finds it.
func (p *Provider) Submit(ctx context.Context, job *executor.Job) (executor.Handle, error) {
	found, err := p.find(ctx, job.ID)
	if err != nil {
		return "", err
	}
	if found != nil {
		return executor.Handle(found.ID), nil
	}
	flavor, err := p.flavor(ctx, job.Resources)
	if err != nil {
		return "", err
	}
	secrets, err := p.secrets(ctx, job)
	if err != nil {
		return "", err
	}
	body := spec{
		Image: p.o.Image, Command: []string{"sh", "-c", job.Script()}, Arguments: []string{}, Environment: maps.Clone(job.Env), Secrets: secrets,
		Flavor: flavor.Name, Timeout: int(job.Limits.Longest(p.o.Longest).Seconds()), Attempts: 1, Labels: map[string]string{label: job.ID, "name": job.ID},
	}
	if body.Environment == nil {
		body.Environment = map[string]string{}
	}
	var made info
	if _, err := p.client.do(ctx, http.MethodPost, p.path(), body, &made); err != nil {
		return "", err
	}
	if made.ID == "" {
		return "", stages.Lose(stages.CodeEnvironment, "run the same command again", "the hub took a job and did not name it")
	}
	return executor.Handle(made.ID), nil
}

// secrets are the values that a job needs: those of its variables, and the address of its
// program, by which who knows it can read the program.
func (p *Provider) secrets(ctx context.Context, job *executor.Job) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range slices.Concat(p.o.Secrets, job.Secrets) {
		value := p.getenv(name)
		if value == "" {
			return nil, stages.Fail(stages.CodeEnvironment, "set "+name+" where sprint runs: its value goes to the hub as a secret of the job", "executor %s cannot give stage %s the secret %s: it is not set", p.name, job.Stage, name)
		}
		out[name] = value
	}
	address, err := job.Program.URL(ctx, max(job.Limits.Queue+job.Limits.Start, time.Hour))
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "use a store on S3 or GCS with keys that can sign", "the store cannot sign an address of the program for Hugging Face: %w", err)
	}
	out[executor.EnvProgramURL] = address
	return out, nil
}

// Watch looks at the job until it has ended.
func (p *Provider) Watch(ctx context.Context, h executor.Handle, report func(executor.Status)) (executor.Status, error) {
	var last executor.Status
	first, absent := true, 0
	for pause := p.poll; ; pause = min(pause*3/2, p.mostPoll) {
		job, err := p.look(ctx, h)
		if err == nil && job == nil {
			absent++
		} else if err == nil {
			absent = 0
		}
		switch {
		case ctx.Err() != nil:
			return last, context.Cause(ctx)
		case err == nil && absent > 0 && absent < 3:
			pause = p.poll // one such answer may be that of a server which has just begun
		case err == nil:
			now := status(job)
			if first || now != last {
				report(now)
				pause = p.poll
			}
			if first, last = false, now; now.Phase == executor.PhaseEnded {
				return now, nil
			}
		case !stages.IsLost(err):
			return last, err
		}
		if err := executor.Pause(ctx, pause); err != nil {
			return last, err
		}
	}
}

// look reads a job; nil is one that is not there.
func (p *Provider) look(ctx context.Context, h executor.Handle) (*info, error) {
	var job info
	_, err := p.client.do(ctx, http.MethodGet, p.path(string(h)), nil, &job)
	if missing(err) {
		return nil, nil
	}
	return &job, err
}

var exitCode = regexp.MustCompile(`(?i)exit code:?\s*(\d{1,3})`)

// status reads what the hub says of a job; nil is one that is not there.
func status(job *info) executor.Status {
	if job == nil {
		return executor.Status{Phase: executor.PhaseEnded, Gone: true, Reason: "the hub knows no such job"}
	}
	s := executor.Status{Phase: executor.PhaseRunning, Reason: job.Status.Message, Node: job.Flavor}
	switch job.Status.Stage {
	case stageScheduling:
		s.Phase = executor.PhaseQueued
	case stageCompleted:
		s.Phase, s.Known = executor.PhaseEnded, true
	case stageCanceled:
		s.Phase, s.Reason = executor.PhaseEnded, cmp.Or(s.Reason, "it was cancelled at the hub")
	case stageDeleted:
		s.Phase, s.Gone, s.Reason = executor.PhaseEnded, true, cmp.Or(s.Reason, "it was deleted at the hub")
	case stageError:
		s.Phase = executor.PhaseEnded
		words := strings.ToLower(s.Reason)
		if m := exitCode.FindStringSubmatch(s.Reason); m != nil {
			s.ExitCode, _ = strconv.Atoi(m[1]) // digits by the pattern
			s.Known = true
		}
		s.TimedOut = strings.Contains(words, "timeout") || strings.Contains(words, "timed out")
		s.OutOfMemory = strings.Contains(words, "oomkilled") || strings.Contains(words, "out of memory")
		if strings.Contains(words, "image") && !s.Known {
			s.Hopeless, s.Hint = true, "change image of the executor"
		}
	}
	return s
}

// Cancel asks the hub to end the job and waits until its machine has: a job is called
// cancelled before its processes have ended.
func (p *Provider) Cancel(ctx context.Context, h executor.Handle, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace+time.Minute)
	defer cancel()
	asked, began := false, time.Now()
	for pause := p.poll; ; pause = min(pause*3/2, p.mostPoll) {
		job, err := p.look(ctx, h)
		switch {
		case err != nil:
		case job == nil, job.ended() && (job.Started == "" || job.Finished != "" || time.Since(began) > grace):
			return nil
		case !asked && !job.ended():
			_, err = p.client.do(ctx, http.MethodPost, p.path(string(h), "cancel"), nil, nil)
			asked = err == nil
		}
		if err != nil && !stages.IsLost(err) && !missing(err) {
			return err
		}
		if executor.Pause(ctx, pause) != nil {
			return stages.Fail(stages.CodeEnvironment, fmt.Sprintf("look at %s/jobs/%s/%s: it may cost money", p.o.Endpoint, p.o.Namespace, h), "the hub did not end job %s within %s", h, grace+time.Minute)
		}
	}
}

// Probe asks the hub who the token is, which hardware there is, and what it costs.
func (p *Provider) Probe(ctx context.Context, job *executor.Job, note func(name, value string)) error {
	flavor, err := p.flavor(ctx, job.Resources)
	if err != nil {
		return err
	}
	note("hardware", flavor.String())
	if _, err := p.find(ctx, job.ID); err != nil {
		return err
	}
	note("namespace", p.o.Namespace)
	if _, err := p.secrets(ctx, job); err != nil {
		return err
	}
	note("longest", job.Limits.Longest(p.o.Longest).String())
	return nil
}
