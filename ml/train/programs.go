package train

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/device"
)

// program is a compiled graph by what it does and the shape of its batch.
type program struct {
	does  string
	shape Shape
}

// What programs do. Inputs that are donated come first, and the outputs that
// take their place too.
const (
	stepProgram     = "step"     // state, batch -> state, loss
	gradientProgram = "gradient" // gradients, weights, batch -> gradients, loss
	updateProgram   = "update"   // state, gradients -> state
	evalProgram     = "eval"     // weights, batch -> scores, tags, tag losses
	frozenProgram   = "frozen"   // frozen weights, batch -> output of the frozen layers
)

func (p program) String() string {
	return fmt.Sprintf("%s_%dx%dx%d", p.does, p.shape.Rows, p.shape.Length, p.shape.Texts)
}

// requiredPrograms lists the programs of the fit, the largest first: if memory is short
// it is found out before any step.
func (t *Trainer) requiredPrograms() []program {
	var out []program
	validated := map[int]bool{}
	for _, b := range t.packing.batches(lengths(t.val), t.shapes) {
		validated[b.bucket] = true
	}
	for i, c := range slices.Backward(t.packing.buckets) {
		switch {
		case c.batches > 0 && t.accumulation > 1:
			out = append(out, program{gradientProgram, t.shapes[i]})
		case c.batches > 0:
			out = append(out, program{stepProgram, t.shapes[i]})
		}
		if validated[i] {
			out = append(out, program{evalProgram, t.shapes[i]})
		}
	}
	if t.accumulation > 1 {
		out = append(out, program{updateProgram, Shape{}})
	}
	return out
}

// Compile builds the programs that are missing. report is told after each.
func (t *Trainer) Compile(ctx context.Context, report func(done, total int)) error {
	if err := t.fillFrozenCache(ctx); err != nil {
		return err
	}
	wanted := t.requiredPrograms()
	t.dev.OnCompile(t.announce(wanted))
	defer t.dev.OnCompile(nil)
	for i, p := range wanted {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.build(p); err != nil {
			return err
		}
		report(i+1, len(wanted))
	}
	return nil
}

// announce tells OnCompile, once, before the first of the programs is compiled: those
// before it were loaded. More of the others may be there too; that is seen only later.
func (t *Trainer) announce(wanted []program) func(kept bool) {
	told := t.OnCompile == nil
	return func(kept bool) {
		if told {
			return
		}
		told = true
		var does []string
		for _, p := range wanted {
			if !t.ready[p] {
				does = append(does, p.does)
			}
		}
		t.OnCompile(does, kept)
	}
}

func (t *Trainer) build(p program) (err error) {
	if t.programs[p] != nil {
		return nil
	}
	began, before := time.Now(), t.dev.Programs().Compiled
	defer func() {
		t.CompileTime += time.Since(began)
		if t.ready[p] = err == nil; t.dev.Programs().Compiled > before {
			t.Compiled[p.does] = append(t.Compiled[p.does], time.Since(began))
		}
	}()
	t.built++
	return device.Guard(fmt.Sprintf("compile for %d rows of %d tokens", p.shape.Rows, p.shape.Length), func() error {
		n := len(t.trainable)
		donated := map[string]int{stepProgram: 3 * n, gradientProgram: n, updateProgram: 3 * n}[p.does]
		g := NewGraph(t.dev.Donating(donated), p.String())
		out := map[string]func(*Graph, Shape) []*Node{stepProgram: t.stepGraph, gradientProgram: t.gradientGraph, updateProgram: t.updateGraph, evalProgram: t.evalGraph, frozenProgram: t.frozenGraph}[p.does](g, p.shape)
		t.programs[p] = g
		return g.Compile(out...)
	})
}

// run executes a program. The donated tensors are gone afterwards.
func (t *Trainer) run(p program, donated, kept []*tensors.Tensor) ([]*tensors.Tensor, error) {
	if err := t.build(p); err != nil {
		return nil, err
	}
	buffers, given := make([]compute.Buffer, 0, len(donated)+len(kept)), make([]bool, len(donated)+len(kept))
	for i, x := range donated {
		b, err := x.DonateBuffer(t.dev.Backend, 0)
		if err != nil {
			return nil, err
		}
		buffers, given[i] = append(buffers, b), true
	}
	for _, x := range kept {
		b, err := x.Buffer(t.dev.Backend, 0)
		if err != nil {
			return nil, err
		}
		buffers = append(buffers, b)
	}
	return t.programs[p].RunWithBuffers(buffers, given, 0), nil
}

// Programs counts the programs of this fit, and those among them that were
// loaded because they had been compiled before.
func (t *Trainer) Programs() (all, loaded int) {
	return t.built, t.dev.Programs().Loaded - t.loaded
}

// freePrograms drops the programs and the sums of gradients.
func (t *Trainer) freePrograms() {
	for key, g := range t.programs {
		g.Finalize()
		delete(t.programs, key)
		delete(t.ready, key)
	}
	finalize(t.gradients)
	t.gradients = nil
}

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
			if _, _, err := t.advance(t.order[at], at); err != nil {
				return 0, 0, 0, err
			}
			took = time.Since(began)
		}
		epoch += took * time.Duration(t.packing.buckets[i].batches)
	}
	return epoch, validation, e.Loss, nil
}
