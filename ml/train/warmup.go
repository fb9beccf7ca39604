package train

import (
	"context"
	"math"
	"slices"
	"time"
)

// WarmUp compiles every program that is missing, the largest first, and runs
// each once, so that what can fail fails now. It spoils the state: Restore a
// checkpoint afterwards. It returns how long an epoch will take, without its
// validation, how long that will, and the validation loss before the first step.
// report is told after each program.
func (t *Trainer) WarmUp(ctx context.Context, report func(done, total int)) (epoch, validation time.Duration, loss float64, err error) {
	if err := t.Compile(ctx, report); err != nil {
		return 0, 0, 0, err
	}
	began := time.Now()
	e, err := t.Validate(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	validation = time.Since(began)
	for i := len(t.packing.buckets) - 1; i >= 0; i-- {
		at := slices.IndexFunc(t.order, func(b batch) bool { return b.bucket == i })
		if at < 0 {
			continue
		}
		var took time.Duration
		for range 2 { // the first run touches memory for the first time
			if err := ctx.Err(); err != nil {
				return 0, 0, 0, err
			}
			began := time.Now()
			loss, _, err := t.advance(t.order[at], at)
			if err != nil {
				return 0, 0, 0, err
			}
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				return 0, 0, 0, &NonFiniteError{Step: 1, Epoch: 1, Batch: at + 1, Loss: loss, Examples: slices.Concat(t.order[at].rows...)}
			}
			took = time.Since(began)
		}
		epoch += took * time.Duration(t.packing.buckets[i].batches)
	}
	return epoch, validation, e.Loss, nil
}
