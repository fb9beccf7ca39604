package slurm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// mark is the comment that tells a job of ours from one that has its name.
func mark(job *executor.Job) string {
	return fmt.Sprintf("sprint run %s stage %s attempt %d", job.Run, job.Stage, job.Attempt)
}

// demands are what sbatch is told of the job's needs and of its place in the queue.
func (o *Options) demands(job *executor.Job) []string {
	r := job.Resources
	args := []string{"--nodes=1", "--ntasks=1"}
	add := func(format string, value any, zero bool) {
		if !zero {
			args = append(args, fmt.Sprintf(format, value))
		}
	}
	partition, qos := o.Partition, o.QOS
	if r.Preemptible {
		partition, qos = cmp.Or(o.Preemptible.Partition, partition), cmp.Or(o.Preemptible.QOS, qos)
	}
	add("--partition=%s", partition, partition == "")
	add("--qos=%s", qos, qos == "")
	add("--account=%s", o.Account, o.Account == "")
	add("--constraint=%s", o.Constraint, o.Constraint == "")
	add("--reservation=%s", o.Reservation, o.Reservation == "")
	add("--cpus-per-task=%d", r.CPUs, r.CPUs == 0)
	add("--mem=%dM", mebibytes(r.Memory), r.Memory == 0)
	add("--tmp=%dM", mebibytes(r.Disk), r.Disk == 0)
	gpus := r.GPUs
	if gpus == 0 && r.Device == "cuda" {
		gpus = 1
	}
	gpu := "gpu:"
	if r.GPUType != "" {
		gpu += r.GPUType + ":"
	}
	add("--gres=%s", fmt.Sprint(gpu, gpus), gpus == 0)
	// The cluster's own limit holds when nobody here is left to end the job.
	if l := job.Limits; l.Run > 0 {
		add("--time=%d", minutes(l.Start+l.Run+l.Grace), false)
	}
	return args
}

func mebibytes(n int64) int64 { return (n + 1<<20 - 1) >> 20 }

func minutes(d time.Duration) int64 { return int64((d + time.Minute - 1) / time.Minute) }

// arguments are those of sbatch. The cluster never starts a job again by itself, whatever
// ended it: who submitted it counts its tries, and may ask for another machine.
func (o *Options) arguments(job *executor.Job, at found) []string {
	args := append([]string{
		"--parsable", "--job-name=" + job.ID, "--comment=" + mark(job), "--no-requeue", "--chdir=" + at.folder,
		"--output=/dev/null", "--error=" + at.log(job.ID), "--open-mode=append",
	}, o.demands(job)...)
	if grace := int64(job.Limits.Grace / time.Second); grace > 0 {
		args = append(args, fmt.Sprintf("--signal=B:TERM@%d", min(grace, 65535)))
	}
	return append(args, "--export=ALL")
}

// alone is a line that leaves in the environment what the job gets of it: what finds
// programs, and the job's secrets. It stands in the place of --export=NONE, for which the
// node asks a login shell for the user's environment, which takes a second or more.
func (o *Options) alone(job *executor.Job) string {
	// The shell does not let go of the last ones.
	keep := "HOME|USER|LOGNAME|SHELL|PATH|LANG|LC_ALL|LD_LIBRARY_PATH|SLURM_CONF|SBATCH_*|BASHOPTS|SHELLOPTS|PPID|UID|EUID"
	if names := o.secrets(job); o.SecretsFile == "" && len(names) > 0 {
		keep += "|" + strings.Join(names, "|")
	}
	return `for n in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do case $n in ` + keep + `) ;; *) unset "$n" ;; esac; done; `
}

// script becomes the worker. Slurm keeps it where its owner alone can read it; still
// it holds no secret.
func (o *Options) script(job *executor.Job, at found) string {
	var s strings.Builder
	s.WriteString("#!/bin/sh\n")
	for _, name := range slices.Sorted(maps.Keys(job.Env)) {
		fmt.Fprintf(&s, "export %s=%s\n", name, executor.Quote(job.Env[name]))
	}
	if names := strings.Join(o.secrets(job), " "); o.SecretsFile != "" && names != "" {
		fmt.Fprintf(&s, secretsFile, executor.Quote(o.SecretsFile), present(names, 4), names)
	}
	fmt.Fprintf(&s, "export %s=%s\n%s\n", executor.EnvProgramDir, executor.Quote(at.programs()), job.Script())
	return s.String()
}

// secretsFile reads the file of secrets on the node, and exports only what the job needs.
const secretsFile = `f=%s; case $f in /*) ;; *) f="$HOME/$f";; esac
[ -r "$f" ] || { echo "sprint: the file of secrets $f cannot be read on $(hostname)" >&2; exit 4; }
case "$(stat -Lc %%a "$f")" in *00) ;; *) echo "sprint: others may read $f: chmod 600 $f" >&2; exit 4;; esac
. "$f"
%sexport %s
`

// present is a line that ends with a code if one of these variables is not set.
func present(names string, code int) string {
	return fmt.Sprintf(`for n in %s; do eval "[ -n \"\${$n+x}\" ]" || { echo "sprint: the variable $n is not set" >&2; exit %d; }; done`+"\n", names, code)
}

// secrets are the names of variables whose values the job needs.
func (o *Options) secrets(job *executor.Job) []string {
	names := slices.Concat(o.Secrets, job.Secrets)
	slices.Sort(names)
	return slices.Compact(names)
}

// checkNames refuses names that would end up as something else in a script.
func (o *Options) checkNames(job *executor.Job) error {
	for _, name := range slices.Concat(o.secrets(job), slices.Collect(maps.Keys(job.Env))) {
		letters := strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789")
		if name == "" || letters != "" || name[0] >= '0' && name[0] <= '9' {
			return stages.Fail(stages.CodeEnvironment, "", "%q is no name of an environment variable", name)
		}
	}
	return nil
}
