package places

import (
	"slices"

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
	// preemptible says what is missing in an executor's options before it can be asked for
	// machines that it may take away again; empty is nothing. Nil: the kind has none.
	preemptible func(options any) (missing string)
}

// Kinds are those that there are.
func Kinds() []Kind {
	return []Kind{
		{
			Name: "hf", Doc: "Machines rented by the hour, as Jobs of the Hugging Face hub.", Options: func() any { return &hf.Options{} },
			open: func(name string, options any, o Options) (executor.Provider, error) {
				return hf.New(name, *options.(*hf.Options), func(variable string) string { return getenv(o.Environ, variable) })
			},
		},
		{
			Name: "kubernetes", Doc: "Jobs of a Kubernetes cluster.", Options: func() any { return &kubernetes.Options{} },
			open: func(_ string, options any, o Options) (executor.Provider, error) {
				return kubernetes.New(options.(*kubernetes.Options), o.Log)
			},
			preemptible: func(options any) string {
				if options.(*kubernetes.Options).Preemptible.Given() {
					return ""
				}
				return "preemptible: {node_selector: {LABEL: VALUE}} or {priority_class: NAME}"
			},
		},
		{
			Name: "sky", Doc: "Machines that SkyPilot rents, at whatever cloud or cluster has them, by its own command.", Options: func() any { return &sky.Options{} },
			open: func(name string, options any, o Options) (executor.Provider, error) {
				return sky.New(name, options.(*sky.Options), o.Environ), nil
			},
			preemptible: func(any) string { return "" },
		},
		{
			Name: "slurm", Doc: "Jobs of a Slurm cluster, by its own commands, here or on a login node.", Options: func() any { return &slurm.Options{} },
			open: func(name string, options any, o Options) (executor.Provider, error) {
				return slurm.New(name, options.(*slurm.Options), o.Environ)
			},
			preemptible: func(options any) string {
				if options.(*slurm.Options).Preemptible != (slurm.Preemptible{}) {
					return ""
				}
				return "preemptible: {partition: NAME} or {qos: NAME}"
			},
		},
		{
			Name: "ssh", Doc: "Machines that are reached by OpenSSH, as a pool.", Options: func() any { return &ssh.Options{} },
			open: func(name string, options any, o Options) (executor.Provider, error) {
				return ssh.New(name, *options.(*ssh.Options), func(name string) string { return getenv(o.Environ, name) }, o.Log)
			},
		},
	}
}

// preemptible says why an executor of the config has no machines that it may take away
// again, and what to do about it; empty if it has some.
func preemptible(c *config.Config, name, kind string) (why, hint string, err error) {
	const stay = "take `preemptible` out of the stage's resources"
	i := slices.IndexFunc(Kinds(), func(k Kind) bool { return k.Name == kind })
	if i < 0 || Kinds()[i].preemptible == nil {
		return "executors of kind " + kind + " have none that they may take away again", stay + ", or let it go elsewhere", nil
	}
	options := Kinds()[i].Options()
	if err := c.DecodeExecutor(name, options); err != nil {
		return "", "", err
	}
	if missing := Kinds()[i].preemptible(options); missing != "" {
		return "the config does not say how it is asked for one", "add to executors." + name + " " + missing + ", or " + stay, nil
	}
	return "", "", nil
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
