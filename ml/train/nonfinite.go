package train

import (
	"fmt"
	"math"
	"slices"
)

// NonFiniteError says that the loss, or a weight, is no number any more.
type NonFiniteError struct {
	Step, Epoch, Batch int
	Loss               float64
	Weight             string // the parameter's name; empty if it is the loss
	Examples           []int  // of the batch
}

func (e *NonFiniteError) Error() string {
	if e.Weight != "" {
		return fmt.Sprintf("the weights %s are no numbers after step %d (epoch %d, batch %d)", e.Weight, e.Step, e.Epoch, e.Batch)
	}
	return fmt.Sprintf("the loss is %v at step %d (epoch %d, batch %d)", e.Loss, e.Step, e.Epoch, e.Batch)
}

func nonFinite(x float32) bool { return x-x != 0 }

// nonFiniteWeight names the batch after which a parameter is no number.
func (t *Trainer) nonFiniteWeight(parameter string) *NonFiniteError {
	e := &NonFiniteError{Step: t.step, Epoch: t.epoch + 1, Batch: t.cursor, Loss: math.NaN(), Weight: parameter}
	if t.cursor > 0 {
		e.Examples = slices.Concat(t.order[t.cursor-1].rows...)
	}
	return e
}
