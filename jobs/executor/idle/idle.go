// Package idle says when a GPU that an attempt holds has nothing to do: where machines are
// paid for by the hour that is money for nothing, and elsewhere somebody waits for it.
package idle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/runs"
)

// Below is the utilisation in percent under which a GPU is idle.
const Below = 5

// The times by default.
const (
	DefaultEvery = 30 * time.Second
	DefaultAfter = 10 * time.Minute
)

// Watch looks at the GPUs of this machine while an attempt runs. The zero value is ready.
type Watch struct {
	// Every is how often it looks, After for how long GPUs are idle before it says so; 0 is
	// the default.
	Every, After time.Duration
	// Getenv looks up CUDA_VISIBLE_DEVICES, which says which GPUs the attempt may use; nil
	// looks at all.
	Getenv func(string) string
}

// Beside looks until ctx ends, and says once that all GPUs are idle, and again after one
// was busy. It ends at once on a machine without nvidia-smi, and for attempts that demand
// no GPU.
func (w Watch) Beside(ctx context.Context, a *runs.Attempt, sink executor.Sink) {
	if a.Device == "cpu" || a.Device == "go" {
		return
	}
	path, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return
	}
	every, after := cmp.Or(w.Every, DefaultEvery), cmp.Or(w.After, DefaultAfter)
	tick := time.NewTicker(every)
	defer tick.Stop()
	since, said := time.Now(), false
	for failures := 0; ; {
		busiest, err := w.busiest(ctx, path)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			// A machine whose GPUs cannot be looked at will hardly get better.
			if failures++; failures == 3 {
				sink.Log(slog.LevelDebug, fmt.Sprintf("whether the GPU is idle is not known: %v", err))
				return
			}
		case busiest >= Below:
			since, said, failures = time.Now(), false, 0
		case !said && time.Since(since) >= after:
			said, failures = true, 0
			sink.Log(slog.LevelWarn, fmt.Sprintf("the GPU is idle: it was used under %d %% for %s; if the stage needs none, let it run elsewhere", Below, after))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookTime is how long nvidia-smi may take.
const lookTime = 20 * time.Second

// busiest is the utilisation in percent of the busiest GPU that the attempt may use.
func (w Watch) busiest(ctx context.Context, path string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	args := []string{"--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"}
	if w.Getenv != nil {
		if visible := w.Getenv("CUDA_VISIBLE_DEVICES"); visible != "" && strings.Trim(visible, "0123456789,-abcdefABCDEFGPUIM") == "" {
			args = append(args, "--id="+visible)
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	text, err := io.ReadAll(io.LimitReader(out, 64<<10))
	_ = out.Close() // what says more than that has nothing to say
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return 0, fmt.Errorf("nvidia-smi: %w", err)
	}
	return parse(string(text))
}

// parse reads a line with a number for each GPU, and returns the largest.
func parse(text string) (int, error) {
	most := -1
	for line := range strings.Lines(text) {
		n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "%")))
		if err != nil || n < 0 || n > 100 {
			return 0, fmt.Errorf("nvidia-smi says %.40q of a GPU", strings.TrimSpace(line))
		}
		most = max(most, n)
	}
	if most < 0 {
		return 0, errors.New("nvidia-smi lists no GPU")
	}
	return most, nil
}
