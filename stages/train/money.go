package train

import (
	"context"
	"fmt"
	"time"

	"github.com/sprint-ml/sprint/stages"
)

// shortest is the time that is kept at least for what comes after the last step.
const shortest = time.Second

// moneyUp reports whether no more is left of the attempt's time than what comes after the
// last step takes: measuring on val for the epoch and to calibrate, and writing the model.
func (l *loop) moneyUp() bool {
	left, limited := l.env.Left()
	if !limited {
		return false
	}
	if l.allowed == 0 {
		l.allowed = max(left, 1)
	}
	return left <= 2*l.validating+l.saving+max(shortest, time.Duration(reservedShare*float64(l.allowed)))
}

// endEarly ends a training whose money is up: with its best epoch, or with what the first
// has come to. Its checkpoints stay as they are: with more money it goes on from them.
func (l *loop) endEarly(ctx context.Context) error {
	done, total := l.trainer.StepsDone(), l.trainer.Total()
	if l.best == nil && done == 0 {
		return stages.Fail(stages.CodeDeadline, "raise max_cost", "%w before the first of %d steps", stages.ErrMoney, total)
	}
	if l.best == nil {
		if err := l.endEpoch(ctx); err != nil {
			return l.interrupted(ctx, err, false)
		}
	}
	why := fmt.Sprintf("the money of the run was up after %d of %d steps: the model is that of step %d", done, total, l.state.BestSteps)
	l.env.Log.Log(ctx, stages.LevelNotable, "the money of the run was up: the model is the best until then", "done", done, "of", total, "step", l.state.BestSteps)
	l.env.Note(stages.NoteEndedEarly, why)
	return nil
}
