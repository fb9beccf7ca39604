package places

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/graph"
	"github.com/sprint-ml/sprint/stages"
)

// The words of --executor that name no place.
const (
	Auto  = "auto"
	Local = "local"
)

// kindFetch stays where its files are.
const kindFetch = "fetch"

// resources are what the stage of a node demands.
func resources(node *graph.Node) executor.Resources {
	r := node.Stage.Resources
	out := executor.Resources{Device: node.Device, GPUs: r.GPUs, GPUType: r.GPUType, CPUs: r.CPUs, Memory: int64(r.Memory), Disk: int64(r.Disk), Preemptible: r.Preemptible}
	if out.Device == "cuda" {
		out.GPUs = max(out.GPUs, 1)
	}
	return out
}

// Where says which stages of a graph go elsewhere, by the name of the executor, and refuses
// what cannot be had there. It opens nothing.
func Where(c *config.Config, g *graph.Graph) (map[string]string, error) { return choose(c, g) }

// choose says which stages go elsewhere, by the name of the executor: one that is told by
// --executor goes there, another that demands something to the first executor which
// offers that, in the order of the config. What demands nothing stays.
func choose(c *config.Config, g *graph.Graph) (map[string]string, error) {
	told, every, err := tell(c, g)
	if err != nil {
		return nil, err
	}
	goes, err := placed(c, g, told, every)
	if err != nil {
		return nil, err
	}
	for _, node := range g.Nodes {
		if name := goes[node.Name]; name != "" && node.Stage.Resources.Preemptible {
			if err := mayInterrupt(c, node, name); err != nil {
				return nil, err
			}
		}
	}
	return goes, nil
}

// mayInterrupt refuses a stage on preemptible machines where there are none.
func mayInterrupt(c *config.Config, node *graph.Node, name string) error {
	common, err := c.ExecutorOptions(name)
	if err != nil {
		return err
	}
	why, hint, err := preemptible(c, name, common.Kind)
	if err != nil || why == "" {
		return err
	}
	return stages.Fail(stages.CodeEnvironment, hint, "stage %s demands a preemptible machine of executor %s (%s): %s", node.Name, name, node.Stage.FieldPos("resources.preemptible"), why)
}

// placed is choose before demands of single places are looked at.
func placed(c *config.Config, g *graph.Graph, told map[string]string, every string) (map[string]string, error) {
	goes := map[string]string{}
	for _, node := range g.Nodes {
		name, isTold := told[node.Name]
		switch {
		case isTold && name == Local:
			continue
		case isTold && node.Kind.Name == kindFetch:
			return nil, &diagnostic.UsageError{Message: fmt.Sprintf("stage %s reads files and sources of this machine: it stays here", node.Name), Hint: "take it out of --executor"}
		case isTold:
			goes[node.Name] = name
			continue
		case node.Kind.Name == kindFetch, every == Local:
			continue
		case every != Auto:
			// A stage that needs no process of its own is over before a job has begun.
			if node.Kind.Isolated != nil && node.Kind.Isolated(node.Options) {
				goes[node.Name] = every
			}
			continue
		}
		var err error
		if name, err = offered(c, node); err != nil {
			return nil, err
		}
		if name != Local {
			goes[node.Name] = name
		}
	}
	return goes, nil
}

// tell reads --executor: names by stage, and what goes for the others.
func tell(c *config.Config, g *graph.Graph) (told map[string]string, every string, err error) {
	told, every = map[string]string{}, Auto
	for word := range strings.SplitSeq(c.Executor, ",") {
		stage, name, one := strings.Cut(strings.TrimSpace(word), "=")
		if !one {
			stage, name = "", stage
		}
		if name != Local && name != Auto && c.Executors[name] == nil {
			return nil, "", unknown(c, name)
		}
		if !one {
			every = name
			continue
		}
		if _, ok := g.Node(stage); !ok {
			return nil, "", &diagnostic.UsageError{Message: fmt.Sprintf("--executor %s: the plan has no stage %q", word, stage), Hint: diagnostic.Suggest(stage, g.Names())}
		}
		if name != Auto {
			told[stage] = name
		}
	}
	return told, every, nil
}

func unknown(c *config.Config, name string) error {
	hint := diagnostic.Suggest(name, append(c.ExecutorNames(), Local, Auto))
	if len(c.Executors) == 0 {
		hint = "name it in your own config or that of --config: executors: {" + name + ": {kind: ssh, hosts: [HOST]}}"
	}
	return &diagnostic.UsageError{Message: fmt.Sprintf("no executor is called %q", name), Hint: hint}
}

// offered is the first executor that has what a node demands, local where nothing more
// than a device is demanded.
func offered(c *config.Config, node *graph.Node) (string, error) {
	want := resources(node)
	device, taken := want.Device, want.Preemptible
	want.Device, want.Preemptible = "", false
	if want == (executor.Resources{}) {
		return Local, nil
	}
	for _, name := range c.ExecutorNames() {
		common, err := c.ExecutorOptions(name)
		if err != nil {
			return "", err
		}
		o := common.Offers
		if taken { // what has no such machines is no offer, unless the stage is told to go there
			if why, _, err := preemptible(c, name, common.Kind); err != nil {
				return "", err
			} else if why != "" {
				continue
			}
		}
		if meets(want, executor.Resources{GPUs: o.GPUs, GPUType: o.GPUType, CPUs: o.CPUs, Memory: int64(o.Memory), Disk: int64(o.Disk)}) {
			return name, nil
		}
	}
	// What this machine's device is, is found out when it is opened.
	if device == "cuda" && node.Stage.Resources.GPUs == 0 || meets(want, here()) {
		return Local, nil
	}
	at := node.Stage.FieldPos("resources")
	return "", stages.Fail(stages.CodeEnvironment, fmt.Sprintf("change `resources` of the stage (%s), or let an executor of the config say that it offers them: executors: {NAME: {offers: {%s}}}", at, words(want)), "stage %s demands %s%s, which no executor offers, nor this machine", node.Name, words(want), map[bool]string{true: " of a preemptible machine"}[taken])
}

// meets reports whether a place has what is demanded. What it does not say of cores,
// memory and disk it may have.
func meets(want, has executor.Resources) bool {
	fits := func(want, has int64) bool { return has == 0 || want <= has }
	return want.GPUs <= has.GPUs && (want.GPUType == "" || strings.EqualFold(want.GPUType, has.GPUType)) &&
		fits(int64(want.CPUs), int64(has.CPUs)) && fits(want.Memory, has.Memory) && fits(want.Disk, has.Disk)
}

// here is what this machine has.
func here() executor.Resources {
	gpus, _ := filepath.Glob("/dev/nvidia[0-9]*") // the pattern is right
	out := executor.Resources{GPUs: len(gpus), CPUs: runtime.NumCPU()}
	var kilobytes int64
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kilobytes); err == nil {
			out.Memory = kilobytes << 10
		}
	}
	return out
}

// words are demands as the config writes them.
func words(r executor.Resources) string {
	var out []string
	add := func(name string, value any, given bool) {
		if given {
			out = append(out, fmt.Sprintf("%s: %v", name, value))
		}
	}
	add("gpus", r.GPUs, r.GPUs > 0)
	add("gpu_type", r.GPUType, r.GPUType != "")
	add("cpus", r.CPUs, r.CPUs > 0)
	add("memory", r.Memory, r.Memory > 0)
	add("disk", r.Disk, r.Disk > 0)
	return strings.Join(slices.Clip(out), ", ")
}
