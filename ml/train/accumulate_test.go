package train

import (
	"errors"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
)

// TestAccumulation: a batch in several accumulation steps makes the same step.
func TestAccumulation(t *testing.T) {
	e, d := tiny(t), xla(t)
	o := options()
	o.Dropout = 0
	_, want := fit(t, start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o))
	o.Accumulate = 3
	_, got := fit(t, start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o))
	if worst := far(got, want); worst > 1e-3 {
		t.Errorf("losses differ by %v", worst)
	}
}

// fullDevice is a device whose programs find no memory when they run.
type (
	fullDevice  struct{ compute.Backend }
	fullBuilder struct{ compute.Builder }
	fullProgram struct{ compute.Executable }
)

func (d fullDevice) Builder(name string) compute.Builder { return fullBuilder{d.Backend.Builder(name)} }

func (b fullBuilder) Compile() (compute.Executable, error) {
	p, err := b.Builder.Compile()
	return fullProgram{p}, err
}

func (fullProgram) Execute([]compute.Buffer, []bool, compute.DeviceNum) ([]compute.Buffer, error) {
	return nil, errors.New("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
}

// TestDoubleAccumulation: a step that does not fit is made in halves, from the last
// checkpoint on, with the same effective batch.
func TestDoubleAccumulation(t *testing.T) {
	e, d := tiny(t), xla(t)
	o := options()
	o.Dropout = 0
	tr := start(t, model(t, e, bert.Mean), d, rows(64, 1), rows(16, 2), o)
	got := steps(t, tr, 3)
	dir := t.TempDir()
	if err := tr.Save(dir); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(got), steps(t, tr, tr.Total())...)
	if err := tr.Restore(dir); err != nil {
		t.Fatal(err)
	}
	whole := program{stepProgram, tr.Shapes()[0]}
	g := NewGraph(fullDevice{d.Backend}, whole.String())
	if err := g.Compile(tr.stepGraph(g, whole.shape)...); err != nil {
		t.Fatal(err)
	}
	tr.programs[whole].Finalize()
	tr.programs[whole] = g
	_, _, err := tr.Step()
	var full *device.OutOfMemoryError
	if !errors.As(err, &full) {
		t.Fatalf("got %v", err)
	}
	if !tr.DoubleAccumulation() {
		t.Fatal("cannot be halved")
	}
	if err := tr.Restore(dir); err != nil {
		t.Fatal(err)
	}
	got = append(got, steps(t, tr, tr.Total())...)
	if worst := far(got, want); worst > 1e-3 || tr.AccumulationSteps() != 2 {
		t.Errorf("losses differ by %v, %d parts", worst, tr.AccumulationSteps())
	}
	for tr.DoubleAccumulation() {
	}
	if s := tr.Shapes()[0]; s.Rows != 1 {
		t.Errorf("halved down to %+v", s)
	}
}
