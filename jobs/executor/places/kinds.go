package places

import (
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/executor/hf"
	"github.com/sprint-ml/sprint/jobs/executor/kubernetes"
	"github.com/sprint-ml/sprint/jobs/executor/sky"
	"github.com/sprint-ml/sprint/jobs/executor/slurm"
	"github.com/sprint-ml/sprint/jobs/executor/ssh"
	"github.com/sprint-ml/sprint/stages"
)

// Kind is a kind of executors.
type Kind struct {
	Name, Doc string
	// Options is a pointer to the kind's struct.
	Options func() any
	open    func(name string, options any, o Options) (executor.Provider, error)
}

// Kinds are those that there are.
func Kinds() []Kind {
	return []Kind{
		{
			"hf", "Machines rented by the hour, as Jobs of the Hugging Face hub.", func() any { return &hf.Options{} },
			func(name string, options any, o Options) (executor.Provider, error) {
				return hf.New(name, *options.(*hf.Options), func(variable string) string { return getenv(o.Environ, variable) })
			},
		},
		{
			"kubernetes", "Jobs of a Kubernetes cluster.", func() any { return &kubernetes.Options{} },
			func(_ string, options any, o Options) (executor.Provider, error) {
				return kubernetes.New(options.(*kubernetes.Options), o.Log)
			},
		},
		{
			"sky", "Machines that SkyPilot rents, at whatever cloud or cluster has them, by its own command.", func() any { return &sky.Options{} },
			func(name string, options any, o Options) (executor.Provider, error) {
				return sky.New(name, options.(*sky.Options), o.Environ), nil
			},
		},
		{
			"slurm", "Jobs of a Slurm cluster, by its own commands, here or on a login node.", func() any { return &slurm.Options{} },
			func(name string, options any, o Options) (executor.Provider, error) {
				return slurm.New(name, options.(*slurm.Options), o.Environ)
			},
		},
		{
			"ssh", "Machines that are reached by OpenSSH, as a pool.", func() any { return &ssh.Options{} },
			func(name string, options any, o Options) (executor.Provider, error) {
				return ssh.New(name, *options.(*ssh.Options), func(name string) string { return getenv(o.Environ, name) }, o.Log)
			},
		},
	}
}

// openProvider makes the provider of an executor of the config.
func openProvider(c *config.Config, name, kind string, o Options) (executor.Provider, error) {
	for _, k := range Kinds() {
		if k.Name == kind {
			options := k.Options()
			if err := c.DecodeExecutor(name, options); err != nil {
				return nil, err
			}
			return k.open(name, options, o)
		}
	}
	return nil, stages.Fail(stages.CodeUsage, "", "no kind of executor is called %q", kind)
}
