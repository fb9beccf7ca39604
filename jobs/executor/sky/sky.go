// Package sky is the provider of machines that SkyPilot rents (https://docs.skypilot.co):
// managed jobs at whatever cloud, cluster or pool has what a stage demands, by the command
// sky of version 0.14 or later. A job's name is its ID, by which it is found again.
//
//	sky.go      Options, Provider: Submit, Cancel, Logs
//	spec.go     the task that SkyPilot reads, and the shell that becomes the worker
//	command.go  how the command is run, and what its complaints mean
//	queue.go    what it says of jobs, asked once for all that are watched
//	watch.go    a job is followed to its end
//	state.go    what SkyPilot's words for states mean
//	list.go     which jobs of ours it has
//	price.go    what an hour may cost
//	probe.go    what is tried before anything is submitted
//
// SkyPilot starts a job again whose machine was taken, and one that was asked to end
// there (code 75): such a start goes on from the checkpoint. Failures it leaves alone,
// since tries are counted by the runner. skytest is a stand-in for the command.
package sky

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// Options are those of an executor of kind sky.
type Options struct {
	Infra         string            `yaml:"infra" doc:"where machines are rented, as SkyPilot writes it: aws/us-east-1, gcp, k8s/my-context; without it the cheapest of all that are enabled"`
	GPU           string            `yaml:"gpu" doc:"the accelerator of stages that demand a GPU and name no type: L4"`
	GPUTypes      map[string]string `yaml:"gpu_types" doc:"SkyPilot's names for the types that plans name: {a100: A100-80GB}"`
	MaxHourlyCost float64           `yaml:"max_hourly_cost" default:"0" min:"0" doc:"the most US dollars that an hour of a machine may cost; 0 is no limit"`
	Image         string            `yaml:"image" doc:"image of the machines, as SkyPilot writes it: docker:python:3.12; its own by default"`
	Secrets       []string          `yaml:"secrets" doc:"names of variables of this machine that workers get as secrets of the job: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]"`
	Longest       time.Duration     `yaml:"longest" default:"24h" min:"1m" doc:"after so long a stage without a timeout is ended on its machine"`
	Command       string            `yaml:"command" default:"sky" doc:"SkyPilot's command, or the path of it"`
	Poll          time.Duration     `yaml:"poll" default:"15s" min:"500ms" doc:"the longest time between two questions to SkyPilot"`
}

// fill sets what has a default, for callers that decoded no config.
func (o *Options) fill() {
	o.Longest = cmp.Or(o.Longest, 24*time.Hour)
	o.Command = cmp.Or(o.Command, "sky")
	o.Poll = cmp.Or(o.Poll, 15*time.Second)
}

// Provider starts jobs by SkyPilot. It is safe for concurrent use.
type Provider struct {
	name    string // the config's word for it
	o       Options
	command command
	queue   queue
	getenv  func(string) string
	tries   time.Duration // between two looks for a job that was just taken
	tick    time.Duration // the shortest time between two questions
}

// The interfaces that a Provider has.
var (
	_ executor.Provider = (*Provider)(nil)
	_ executor.Logger   = (*Provider)(nil)
	_ executor.Prober   = (*Provider)(nil)
)

// New makes the provider of an executor of that name. The command has the environment
// environ, from which the values of secrets come too. It runs nothing.
func New(name string, o *Options, environ []string) *Provider {
	p := &Provider{name: name, o: *o, tries: 2 * time.Second, tick: 2 * time.Second}
	p.o.fill()
	values := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		values[k] = v
	}
	p.getenv = func(name string) string { return values[name] }
	p.command = command{name: name, path: p.o.Command, environ: environ}
	if values["SKYPILOT_DISABLE_USAGE_COLLECTION"] == "" {
		// It sends what is run there to its makers, unless it is told so.
		p.command.environ = append(slices.Clone(environ), "SKYPILOT_DISABLE_USAGE_COLLECTION=1")
	}
	p.queue = queue{command: &p.command, turn: make(chan struct{}, 1)}
	return p
}

// handle names a job by its number and its name: a controller that was made anew counts
// anew.
type handle struct {
	number int64
	name   string
}

func (h handle) String() string { return strconv.FormatInt(h.number, 10) + " " + h.name }

func parseHandle(h executor.Handle) (handle, error) {
	number, name, ok := strings.Cut(string(h), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || n < 0 || name == "" {
		return handle{}, fmt.Errorf("%q is no job of SkyPilot", string(h))
	}
	return handle{n, name}, nil
}

// Submit looks for the job, then launches it.
func (p *Provider) Submit(ctx context.Context, job *executor.Job) (executor.Handle, error) {
	if h, err := p.existing(ctx, job.ID); err != nil || h != "" {
		return h, err
	}
	secrets, err := p.secrets(ctx, job)
	if err != nil {
		return "", err
	}
	t, err := p.spec(job, secrets)
	if err != nil {
		return "", err
	}
	failed := p.launch(ctx, job, t, secrets)
	if failed != nil && !stages.IsLost(failed) {
		return "", failed
	}
	// An API server that answered late, or not at all, may have taken the job all the same;
	// one that took it may show it a moment later.
	for i := range 5 {
		if h, err := p.existing(ctx, job.ID); err == nil && h != "" {
			return h, nil
		}
		if failed != nil && i > 0 || executor.Pause(ctx, p.tries) != nil {
			break
		}
	}
	if failed == nil {
		failed = stages.Lose(stages.CodeEnvironment, "`sky jobs queue` shows what it has", "executor %s: SkyPilot took the job %s and does not show it", p.name, job.ID)
	}
	return "", failed
}

// existing finds the job of a name: the one that has not ended, else the latest.
func (p *Provider) existing(ctx context.Context, name string) (executor.Handle, error) {
	rows, err := p.queue.look(ctx, 0)
	if err != nil {
		return "", err
	}
	var best *row
	for i := range rows {
		r := &rows[i]
		if r.Name == name && (best == nil || ended(best.Status) && !ended(r.Status) || ended(best.Status) == ended(r.Status) && *r.ID > *best.ID) {
			best = r
		}
	}
	if best == nil {
		return "", nil
	}
	return executor.Handle(handle{*best.ID, name}.String()), nil
}

// launch hands the task over. SkyPilot reads it from a file of its user alone, and secrets
// from its environment: no argument and no file holds their values.
func (p *Provider) launch(ctx context.Context, job *executor.Job, task []byte, secrets map[string]string) error {
	dir, err := os.MkdirTemp("", "sprint-sky-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := dir + "/task.yaml"
	if err := os.WriteFile(file, task, 0o600); err != nil {
		return err
	}
	args := []string{"jobs", "launch", "-n", job.ID, "-y", "-d"}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		args = append(args, "--secret", name)
	}
	_, err = p.command.run(ctx, launchLimit, secrets, append(args, file)...)
	return err
}

// addressValid is the longest for which S3 and GCS sign an address. A job that SkyPilot
// starts again after that cannot fetch its program: the runner submits another.
const addressValid = 7 * 24 * time.Hour

// secrets are the values that a job needs: those of its variables, and the address of its
// program, by which who knows it can read the program.
func (p *Provider) secrets(ctx context.Context, job *executor.Job) (map[string]string, error) {
	out := map[string]string{}
	for _, name := range slices.Concat(p.o.Secrets, job.Secrets) {
		if err := checkName(name); err != nil {
			return nil, err
		}
		value := p.getenv(name)
		if value == "" {
			return nil, stages.Fail(stages.CodeEnvironment, "set "+name+" where sprint runs: its value goes to SkyPilot as a secret of the job", "executor %s cannot give stage %s the secret %s: it is not set", p.name, job.Stage, name)
		}
		out[name] = value
	}
	address, err := job.Program.URL(ctx, addressValid)
	if err != nil {
		return nil, stages.Fail(stages.CodeEnvironment, "use a store on S3 or GCS with keys that can sign", "the store cannot sign an address of the program for executor %s: %w", p.name, err)
	}
	out[executor.EnvProgramURL] = address
	return out, nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// checkName refuses names that would be something else in a shell, or mean something to
// SkyPilot.
func checkName(name string) error {
	if !variableName.MatchString(name) || strings.HasPrefix(name, "SKYPILOT_") {
		return stages.Fail(stages.CodeEnvironment, "rename it", "%q is no name of a variable that a job of SkyPilot can have", name)
	}
	return nil
}

// Cancel asks SkyPilot to end the job, and waits until its machine is gone: that is what
// the state CANCELLED says there.
func (p *Provider) Cancel(ctx context.Context, h executor.Handle, grace time.Duration) error {
	job, err := parseHandle(h)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, grace+cancelLimit)
	defer cancel()
	asked := false
	var last error
	for absent := 0; ; {
		there, live, err := p.live(ctx, job.name)
		switch {
		case err != nil:
			last = err
		case !there:
			if absent++; absent > 2 { // one such answer may be that of a server which has just begun
				return nil
			}
		case len(live) == 0:
			return nil
		case !asked:
			_, err = p.command.run(ctx, commandLimit, nil, append([]string{"jobs", "cancel", "-y"}, live...)...)
			asked, last = err == nil, err
		}
		if err != nil && !stages.IsLost(err) && ctx.Err() == nil {
			return err
		}
		if executor.Pause(ctx, p.tick) != nil {
			if last == nil {
				last = context.Cause(ctx)
			}
			return stages.Lose(stages.CodeEnvironment, fmt.Sprintf("`sky jobs cancel -y %d`, then `sky jobs queue` says when its machine is gone: it costs money", job.number), "executor %s: SkyPilot did not end job %s: %w", p.name, job, last)
		}
	}
}

// live are the numbers of all jobs of a name that have not ended: a launch whose answer
// was lost may have made a second one. there says that some of that name are known.
func (p *Provider) live(ctx context.Context, name string) (there bool, numbers []string, err error) {
	rows, err := p.queue.look(ctx, 0)
	for i := range rows {
		if rows[i].Name != name {
			continue
		}
		if there = true; !ended(rows[i].Status) {
			numbers = append(numbers, strconv.FormatInt(*rows[i].ID, 10))
		}
	}
	return there, numbers, err
}

// cancelLimit is how long the end of a machine may take, beside the grace time.
const cancelLimit = 10 * time.Minute

var (
	color  = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)
	prefix = regexp.MustCompile(`(?m)^\([^()\n]*pid=[^()\n]*\) ?`)
)

// Logs copies the last lines that the job printed. The exit code of the question is that
// of the job, and tells nothing.
func (p *Provider) Logs(ctx context.Context, h executor.Handle, w io.Writer) error {
	job, err := parseHandle(h)
	if err != nil {
		return err
	}
	out, err := p.command.run(ctx, commandLimit, nil, "jobs", "logs", "--no-follow", strconv.FormatInt(job.number, 10))
	out = prefix.ReplaceAll(color.ReplaceAll(out, nil), nil)
	if len(bytes.TrimSpace(out)) == 0 {
		if err != nil && !stages.IsLost(err) {
			return err
		}
		return nil
	}
	_, err = w.Write(out)
	return err
}
