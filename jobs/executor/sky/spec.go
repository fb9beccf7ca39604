package sky

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strconv"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// spec is what SkyPilot reads (https://docs.skypilot.co/en/latest/reference/yaml-spec.html),
// as far as jobs need it.
type spec struct {
	Name      string            `json:"name"`
	Resources resources         `json:"resources"`
	Env       map[string]string `json:"envs,omitempty"`
	Run       string            `json:"run"`
}

type resources struct {
	Infra         string         `json:"infra,omitempty"`
	Accelerators  map[string]int `json:"accelerators,omitempty"`
	CPUs          string         `json:"cpus,omitempty"`
	Memory        string         `json:"memory,omitempty"` // GB
	Disk          int64          `json:"disk_size,omitempty"`
	Image         string         `json:"image_id,omitempty"`
	MaxHourlyCost float64        `json:"max_hourly_cost,omitempty"` // US dollars
	UseSpot       bool           `json:"use_spot,omitempty"`
	Recovery      recovery       `json:"job_recovery"`
}

// recovery is what SkyPilot does by itself when a job has ended. That it starts jobs again
// whose machine is gone cannot be switched off: of spot machines, package remote then ends
// the job and counts an interruption.
type recovery struct {
	MaxRestarts int   `json:"max_restarts_on_errors"`
	Codes       []int `json:"recover_on_exit_codes"`
}

// spec writes the file of a job. JSON is YAML that every parser reads alike. A variable
// that is a secret too would be refused there.
func (p *Provider) spec(job *executor.Job, secrets map[string]string) ([]byte, error) {
	env := maps.Clone(job.Env)
	maps.DeleteFunc(env, func(name, _ string) bool { _, is := secrets[name]; return is })
	for name := range env {
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	need, err := p.demands(job)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(spec{Name: job.ID, Resources: need, Env: env, Run: p.script(job)}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the task of %s: %w", job.ID, err)
	}
	return append(text, '\n'), nil
}

// demands are the machine's.
func (p *Provider) demands(job *executor.Job) (resources, error) {
	r := job.Resources
	if cost := p.o.MaxHourlyCost; math.IsNaN(cost) || math.IsInf(cost, 0) {
		return resources{}, stages.Fail(stages.CodeEnvironment, "write it as 2.5, or 0 for no limit", "executors.%s.max_hourly_cost is no amount of money", p.name)
	}
	out := resources{
		Infra: p.o.Infra, Image: p.o.Image, MaxHourlyCost: p.o.MaxHourlyCost, Disk: units(r.Disk, 1e9), UseSpot: r.Preemptible,
		Recovery: recovery{Codes: []int{int(stages.CodeInterrupted)}},
	}
	if r.CPUs > 0 {
		out.CPUs = strconv.Itoa(r.CPUs) + "+"
	}
	if n := units(r.Memory, 1<<30); n > 0 {
		out.Memory = strconv.FormatInt(n, 10) + "+"
	}
	gpus := r.GPUs
	if r.Device == "cuda" || r.GPUType != "" {
		gpus = max(gpus, 1)
	}
	if gpus == 0 {
		return out, nil
	}
	kind := r.GPUType
	if kind == "" {
		kind = p.o.GPU
	}
	kind = cmp.Or(p.o.GPUTypes[kind], kind)
	if kind == "" {
		return out, stages.Fail(stages.CodeEnvironment, fmt.Sprintf("name one in executors.%s.gpu, or let resources.gpu_type of the stage do it; `sky gpus list` shows them", p.name),
			"stage %s demands a GPU, and SkyPilot has to know of which type", job.Stage)
	}
	out.Accelerators = map[string]int{kind: gpus}
	return out, nil
}

// units is a size in units, rounded up.
func units(bytes int64, unit float64) int64 { return int64(math.Ceil(float64(bytes) / unit)) }

// Exit codes of the script beside the worker's own.
const (
	// codeNotAsked is that of a worker which was interrupted (75) without anyone having
	// asked the job to end: no runner waits for it. SkyPilot must not start it again.
	codeNotAsked = 76
	// codeTimedOut is that of timeout(1).
	codeTimedOut = 124
)

// script becomes the worker. It passes on a request to end, which SkyPilot, or the machine
// that shuts down, makes to the whole job; and it ends a job that nobody ends.
func (p *Provider) script(job *executor.Job) string {
	return fmt.Sprintf(scriptText, seconds(job.Limits.Grace+time.Second), seconds(job.Limits.Longest(p.o.Longest)), executor.Quote(job.Script()),
		int(stages.CodeInterrupted), codeNotAsked)
}

// scriptText waits again where a request to end cut a wait short, or the wait after it. Of a
// child that ended meanwhile bash may know no code any more (127 or -1), and a worker may die
// of the request (143) before it listens: both were interrupted, and start again.
const scriptText = `asked= child=
trap 'asked=1 cut=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT HUP
timeout --foreground -k %[1]d %[2]d sh -c %[3]s &
child=$!
[ -z "$asked" ] || kill -TERM "$child" 2>/dev/null
while :; do
  cut=
  wait "$child"; code=$?
  [ -n "$cut" ] || { [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; } || break
done
if [ -n "$asked" ]; then
  case "$code" in 127|-1|143) code=%[4]d ;; esac
elif [ "$code" = %[4]d ]; then
  code=%[5]d
fi
exit "$code"
`

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
