package label

import (
	"errors"
	"math"
	"testing"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// TestMayPay: no answer is asked for that may cost more than is left; those that were paid
// are told, kept, and not paid again.
func TestMayPay(t *testing.T) {
	e := newEndpoint(t)
	store := stagetest.Store(t)
	titles := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	// An answer costs 0.0002: the sixth would be the first over the limit.
	c := chatCase{o: HTTP{MaxBad: 1, Concurrency: 1}, store: store, mayPay: 0.00101}
	res, _, _ := c.run(t, e, titles...)
	var f *stages.Failure
	if !errors.As(res.Err, &f) || f.Code != stages.CodeDeadline || !errors.Is(res.Err, stages.ErrMoney) || e.total() != 5 {
		t.Fatalf("%v after %d answers", res.Err, e.total())
	}
	if paid, _ := res.Notes[stages.NoteSpent].(float64); math.Abs(paid-0.001) > 1e-9 {
		t.Errorf("it noted %v", res.Notes[stages.NoteSpent])
	}
	c.mayPay = 0
	res, _, _ = c.run(t, e, titles...)
	if paid, _ := res.Notes[stages.NoteSpent].(float64); res.Err != nil || e.total() != 8 || math.Abs(paid-0.0006) > 1e-9 {
		t.Errorf("%v, %d answers in all, noted %v", res.Err, e.total(), res.Notes[stages.NoteSpent])
	}
}
