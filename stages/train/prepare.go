package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/device"
	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/stages"
)

// prepare brings the fit to its first step: from a checkpoint, or from the start.
// What can fail fails here and not after hours: every program runs once, and a
// checkpoint goes to the store and comes back. A resume on the device that has
// proved all that only compiles.
func (l *loop) prepare(ctx context.Context) error {
	resumed, err := l.restore(ctx)
	if err != nil {
		return err
	}
	if resumed {
		l.env.Note("resumed", fmt.Sprintf("from the checkpoint of step %d of %d", l.trainer.StepsDone(), l.trainer.Total()))
	}
	if resumed && l.state.CheckedOn == l.device {
		return l.compile(ctx)
	}
	start, err := os.MkdirTemp(l.env.Scratch, "begin-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(start)
	if err := l.trainer.Save(start); err != nil {
		return err
	}
	epoch, validation, err := l.warmUp(ctx, start)
	if err != nil {
		return err
	}
	l.validating = validation
	if err := l.trainer.Restore(start); err != nil {
		return err
	}
	if !resumed {
		if err := l.budget(epoch, validation); err != nil {
			return err
		}
	}
	l.state.CheckedOn = l.device
	if resumed {
		return nil
	}
	if err := l.save(ctx); err != nil {
		return err
	}
	found, err := l.restore(ctx)
	if err == nil && !found {
		err = errors.New("the store does not give back the checkpoint that it took")
	}
	return err
}

func (l *loop) reportPrograms(done, total int) {
	text := "loading"
	if l.missing {
		text = "compiling"
	}
	l.env.Progress(stages.Progress{Done: int64(done), Total: int64(total), Unit: "programs", Text: text})
}

func (l *loop) compile(ctx context.Context) error {
	err := l.trainer.Compile(ctx, l.reportPrograms)
	l.compiled()
	return err
}

// shapesText is shapes as rows x tokens.
func shapesText(shapes []fit.Shape) string {
	var out []string
	for _, s := range shapes {
		out = append(out, fmt.Sprintf("%dx%d", s.Rows, s.Length))
	}
	return strings.Join(out, ",")
}

func (l *loop) compiled() {
	all, loaded := l.trainer.Programs()
	seconds := math.Round(l.trainer.CompileTime.Seconds()*10) / 10
	l.env.Log.Info("compiled", "shapes", shapesText(l.trainer.Shapes()))
	l.keepCompileTimes()
	l.env.Note("programs", map[string]any{"all": all, "from_cache": loaded, "seconds": seconds})
}

// warmUp runs every program, with smaller micro-batches if memory runs out,
// and leaves a spoiled state. The loss before the first step is kept.
func (l *loop) warmUp(ctx context.Context, start string) (epoch, validation time.Duration, err error) {
	for {
		epoch, validation, first, err := l.trainer.WarmUp(ctx, l.reportPrograms)
		if full, ok := errors.AsType[*device.OutOfMemoryError](err); ok {
			if err := l.reduceBatch(full); err != nil {
				return 0, 0, err
			}
			if err := l.trainer.Restore(start); err != nil {
				return 0, 0, err
			}
			continue
		}
		if err != nil {
			return 0, 0, l.explain(err)
		}
		if l.trainer.StepsDone() == 0 {
			l.state.FirstLoss = first
		}
		l.compiled()
		return epoch, validation, nil
	}
}

// reservedShare is the share of a time budget kept for what comes after the last
// step: validation is measured, writing the model is not.
const reservedShare = 0.05

// budget shortens the fit, and its schedule, to the time that the plan allows.
func (l *loop) budget(epoch, validation time.Duration) error {
	left := time.Duration(math.MaxInt64)
	if l.o.MaxMinutes > 0 {
		left = time.Duration(l.o.MaxMinutes*float64(time.Minute)) - time.Since(l.started)
	}
	if l.o.Deadline != "" {
		at, err := time.Parse(time.RFC3339, l.o.Deadline)
		if err != nil {
			return err
		}
		left = min(left, time.Until(at))
	}
	if left == math.MaxInt64 {
		return nil
	}
	epochs := float64(left) * (1 - reservedShare) / float64(epoch+validation)
	steps := int(epochs * float64(l.trainer.Total()) / float64(l.epochs))
	if steps < 1 {
		return stages.Fail(stages.CodeStage, "give the stage more time, fewer rows or a faster device", "not one step fits into the %s that are left; an epoch takes about %s", left.Round(time.Second), (epoch + validation).Round(time.Second))
	}
	if whole := l.trainer.Total(); steps < whole {
		l.trainer.Limit(steps)
		l.env.Log.Warn("the fit is shortened to the time that the plan allows", "steps", steps, "of", whole, "epoch", (epoch + validation).Round(time.Second).String())
		l.env.Note("budget", fmt.Sprintf("%d of %d steps fit into %s", steps, whole, left.Round(time.Second)))
	}
	return nil
}
