package jobstest

import (
	"cmp"
	"context"
	"os"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor/trial"
	"github.com/sprint-ml/sprint/storage"
)

// What a worker that tries its machine finds wrong there, by the name of the environment
// variable that says so.
const (
	TrialStore = "TOY_TRIAL_STORE" // another store than its driver's
	TrialClock = "TOY_TRIAL_CLOCK" // how far its clock is ahead
	TrialDisk  = "TOY_TRIAL_DISK"  // a folder in which nothing can be written
	TrialHangs = "TOY_TRIAL_HANGS" // not empty: it says nothing and does not end
)

// tryMachine is `sprint worker --probe` without the checks of what trains.
func tryMachine(ctx context.Context, url, nonce string, secrets []string) int {
	if os.Getenv(TrialHangs) != "" {
		<-ctx.Done()
		return 75
	}
	ahead, _ := time.ParseDuration(os.Getenv(TrialClock)) // none is 0
	w := trial.Worker{
		Nonce: nonce, Secrets: secrets, Getenv: os.Getenv, Folders: []string{cmp.Or(os.Getenv(TrialDisk), os.TempDir())}, Out: os.Stderr,
		Now: func() time.Time { return time.Now().Add(ahead) },
		Open: func(ctx context.Context) (*storage.Store, error) {
			return storage.Open(ctx, cmp.Or(os.Getenv(TrialStore), url), nil)
		},
		Checks: []trial.Check{{What: "device", Try: func(context.Context) []trial.Finding {
			return []trial.Finding{{What: "device", State: trial.OK, Text: "toy"}}
		}}},
	}
	return int(w.Work(ctx))
}
