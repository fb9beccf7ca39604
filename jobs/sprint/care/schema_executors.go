package care

import (
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
	"github.com/sprint-ml/sprint/jobs/executor/places"
	"github.com/sprint-ml/sprint/jobs/reference"
)

const executorText = "Places elsewhere, in your own config or that of --config: the names are yours, and a stage\n" +
	"goes to one by --executor, or by the resources that it demands. The keys of its kind\n" +
	"stand beside those that all have.\n\n" +
	"Where price_per_hour is set, or a kind knows its prices, the record, the report and `sprint runs`\n" +
	"say what each try of a stage cost, those whose machine was taken away too: from when a machine was\n" +
	"given until it was taken back, by the runner's clock, and what label paid for answers. A run with a\n" +
	"max_cost takes what a try may cost before it begins, less the grace time and what the stages after\n" +
	"it need. When the money is up a training ends in time with its best epoch, its stage succeeds and\n" +
	"the run goes on; what cannot end early is asked to end, checkpointed. The run then ends with code\n" +
	"75, or 124 if it kept nothing, as after a deadline, but is not called retryable. If its stages are\n" +
	"known to cost more than max_cost, nothing begins. A model that its money ended is kept under the\n" +
	"same key: the reason of its stage says so, and --force trains it whole. All prices of a run are in\n" +
	"one currency, USD by default; those of label's options are in it too."

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
