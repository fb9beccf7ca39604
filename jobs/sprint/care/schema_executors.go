package care

import (
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/executor/places"
	"github.com/sprint-ml/sprint/jobs/reference"
)

const executorText = "Places elsewhere, in your own config or that of --config: the names are yours, and a stage\n" +
	"goes to one by --executor, or by the resources that it demands. The keys of its kind\n" +
	"stand beside those that all have."

const executorExample = `executors:
  cluster:
    kind: slurm
    partition: gpu
    offers: {gpus: 1, gpu_type: h100}
`

// executorPages are those of what a config says of executors.
func executorPages() []reference.Page {
	pages := []reference.Page{{Name: "executor", Title: "executors (config)", Text: executorText, Example: executorExample, Fields: options.Reference(&config.ExecutorOptions{})}}
	for _, k := range places.Kinds() {
		pages[0].Parts = append(pages[0].Parts, "executor."+k.Name)
		pages = append(pages, reference.Page{Name: "executor." + k.Name, Title: "executors of kind " + k.Name, Text: k.Doc, Fields: options.Reference(k.Options())})
	}
	return pages
}
