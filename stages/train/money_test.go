package train

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/stagetest"
)

// pays lets an attempt's money be up when it is asked for the nth time, which it is before
// each step.
func pays(a *stagetest.Case, n int) {
	before := a.Env
	a.Env = func(e *stages.Env) {
		before(e)
		e.Left = func() (time.Duration, bool) {
			if n--; n < 0 {
				return 0, true
			}
			return time.Hour, true
		}
	}
}

// TestMoneyUp: a training whose money is up ends with its best epoch, or with what the
// first has come to, and says so; with more money the same work goes on to the same bytes.
func TestMoneyUp(t *testing.T) {
	dir := encodertest.Tiny(t)
	whole := stagetest.Run(t, attempt(t, options(dir)))
	if whole.Err != nil {
		t.Fatal(whole.Err)
	}
	for name, c := range map[string]struct {
		steps, epochs int
	}{"in the second epoch": {8, 1}, "in the first": {3, 1}} {
		t.Run(name, func(t *testing.T) {
			a := attempt(t, options(dir))
			a.Store = stagetest.Store(t)
			pays(&a, c.steps)
			cut := stagetest.Run(t, a)
			if cut.Err != nil {
				t.Fatal(cut.Err)
			}
			why, _ := cut.Notes[stages.NoteEndedEarly].(string)
			if h := history(t, cut); len(h) != c.epochs || !strings.Contains(why, "the money of the run was up after ") {
				t.Errorf("%d epochs, %q", len(h), why)
			}
			if bytes.Equal(cut.File(t, "history"), whole.File(t, "history")) {
				t.Error("it went on to its end")
			}
			again := attempt(t, options(dir))
			again.Store = a.Store
			more := stagetest.Run(t, again)
			if more.Err != nil || more.Outputs["model"].Digest != whole.Outputs["model"].Digest {
				t.Errorf("with more money: %v, %s, want %s", more.Err, more.Outputs["model"].Digest, whole.Outputs["model"].Digest)
			}
			if _, said := more.Notes[stages.NoteEndedEarly]; said || whole.Notes[stages.NoteEndedEarly] != nil {
				t.Error("a whole training says that it ended early")
			}
		})
	}
	a := attempt(t, options(dir))
	pays(&a, 0)
	if r := stagetest.Run(t, a); !errors.Is(r.Err, stages.ErrMoney) || failure(t, r.Err).Code != stages.CodeDeadline {
		t.Errorf("without money for a step: %v", r.Err)
	}
}

// TestMoneyKeptForTheEnd: what comes after the last step is kept back from what is left.
func TestMoneyKeptForTheEnd(t *testing.T) {
	left := 100 * time.Second
	l := &loop{stage: &stage{env: stages.Env{Left: func() (time.Duration, bool) { return left, true }}}, validating: 3 * time.Second, saving: 4 * time.Second}
	for at, up := range map[time.Duration]bool{100 * time.Second: false, 15100 * time.Millisecond: false, 15 * time.Second: true, -time.Second: true} {
		l.allowed, left = 100*time.Second, at // 6 to measure, 4 to write, 5 of a hundred
		if l.moneyUp() != up {
			t.Errorf("with %s left: %t", at, !up)
		}
	}
	l.env.Left = func() (time.Duration, bool) { return 0, false }
	if l.moneyUp() {
		t.Error("money is up where it bounds nothing")
	}
}
