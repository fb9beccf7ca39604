package ssh

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/stages"
)

// leastDisk is what a host must have free: a program, an encoder and a plugin.
const leastDisk = 2 << 30

// Probe asks every host what it has. One that can take the job is enough; a host that
// cannot is told of.
func (p *Provider) Probe(ctx context.Context, job *executor.Job, note func(name, value string)) error {
	if _, err := p.variables(job); err != nil {
		return err
	}
	var first error
	good := 0
	for _, host := range p.Hosts {
		began := time.Now()
		out, err := p.output(ctx, host, p.script(probeScript), nil, answerTime)
		if err == nil {
			err = p.judge(host, out, job, time.Since(began), note)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			good++
		default:
			note(host, "takes no jobs: "+err.Error())
			if first == nil {
				first = err
			}
		}
	}
	if good == 0 {
		return first
	}
	return nil
}

// judge reads the answer of probeScript.
func (p *Provider) judge(host, out string, job *executor.Job, took time.Duration, note func(name, value string)) error {
	facts := map[string]string{}
	gpus := 0
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "gpu" {
			gpus++
		}
		facts[name] = value
	}
	platform := map[string]string{"Linux x86_64": "linux/amd64", "Linux aarch64": "linux/arm64"}[facts["platform"]]
	note(host, fmt.Sprintf("%s, %s cores, %s kB of memory, %s kB of disk free, %s", facts["platform"], facts["cores"], facts["memory"], facts["disk"], facts["libc"]))
	if platform != job.Program.Platform {
		return stages.Fail(stages.CodeEnvironment, fmt.Sprintf("run sprint on a machine of that platform, or take %s out of executors.%s.hosts", host, p.Name), "%s is %s, and the program is for %s", host, facts["platform"], job.Program.Platform)
	}
	if disk, err := strconv.ParseInt(facts["disk"], 10, 64); err == nil && disk<<10 < max(leastDisk, job.Resources.Disk) {
		return stages.Fail(stages.CodeEnvironment, fmt.Sprintf("free space there, or let executors.%s.folder name a folder on another disk", p.Name), "%s has %d MB of disk free, and a job needs %d", host, disk>>10, max(leastDisk, job.Resources.Disk)>>20)
	}
	if memory, err := strconv.ParseInt(facts["memory"], 10, 64); err == nil && memory<<10 < job.Resources.Memory {
		return stages.Fail(stages.CodeEnvironment, "lower resources.memory of the stage, or choose another host", "%s has %d MB of memory, and the stage asks for %d", host, memory>>10, job.Resources.Memory>>20)
	}
	if cores, err := strconv.Atoi(facts["cores"]); err == nil && cores < job.Resources.CPUs {
		return stages.Fail(stages.CodeEnvironment, "lower resources.cpus of the stage, or choose another host", "%s has %d cores, and the stage asks for %d", host, cores, job.Resources.CPUs)
	}
	if want := max(p.GPUs, job.Resources.GPUs); gpus < want || job.Resources.Device == "cuda" && gpus == 0 {
		return stages.Fail(stages.CodeEnvironment, fmt.Sprintf("check the driver there (`ssh %s nvidia-smi`), or set executors.%s.gpus to what is there", host, p.Name), "%s has %d GPUs by nvidia-smi, and %d are asked for", host, gpus, max(want, 1))
	}
	if gpu, ok := facts["gpu"]; ok {
		note(host, fmt.Sprintf("%d GPUs, the last %s", gpus, gpu))
	}
	if clock, err := strconv.ParseInt(facts["clock"], 10, 64); err == nil {
		if off := time.Until(time.Unix(clock, 0)) + took; off.Abs() > 10*time.Second+took {
			note(host, fmt.Sprintf("its clock is off by %s, which does no harm to jobs, and may to certificates and signatures", off.Round(time.Second)))
		}
	}
	return nil
}
