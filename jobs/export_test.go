package jobs

import "github.com/sprint-ml/sprint/jobs/executor"

// The scratch folders of attempts.
var (
	NewScratch = executor.NewScratch
)
