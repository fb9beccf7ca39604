package xla_test

import (
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/sprint-ml/sprint/ml/device"
)

// TestDonating fails when a program with donated inputs allocates its outputs:
// a new go-xla may keep the program in another place.
func TestDonating(t *testing.T) {
	if !device.HasXLA || !device.Pinned(device.CPU) {
		return
	}
	d, err := device.Open(t.Context(), device.CPU, device.Options{CacheDir: cache(), Getenv: none})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	g := graph.NewGraph(d.Donating(1), "next")
	x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 1<<16))
	if err := g.Compile(graph.AddScalar(x, 1), graph.ReduceAllSum(x)); err != nil {
		t.Fatal(err)
	}
	state := tensors.FromFlatDataAndDimensions(make([]float32, 1<<16), 1<<16)
	at := map[*float32]bool{}
	for step := range 4 {
		in, err := state.DonateBuffer(d.Backend, 0)
		if err != nil {
			t.Fatal(err)
		}
		out := g.RunWithBuffers([]compute.Buffer{in}, []bool{true}, 0)
		if got := out[1].Value().(float32); got != float32(step)*(1<<16) {
			t.Fatalf("step %d: the sum is %v", step, got)
		}
		state = out[0]
		tensors.MustConstFlatData(state, func(flat []float32) { at[&flat[0]] = true })
		out[1].MustFinalizeAll()
	}
	if len(at) > 2 {
		t.Errorf("4 steps used %d buffers", len(at))
	}
}

// TestProductsInPlace: a weight that is updated in its own buffer is read as it
// is, by the program that updates it and by others. XNNPACK would go on with the
// packed copy of what stood at that address first.
func TestProductsInPlace(t *testing.T) {
	if !device.HasXLA || !device.Pinned(device.CPU) {
		return
	}
	d, err := device.Open(t.Context(), device.CPU, device.Options{CacheDir: cache(), Getenv: none})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const m, k, n = 168, 384, 1152
	product := func(g *graph.Graph, w *graph.Node) *graph.Node {
		return graph.DotGeneral(graph.Parameter(g, "x", shapes.Make(dtypes.Float32, m, k)), []int{1}, nil, w, []int{0}, nil)
	}
	weight := func(g *graph.Graph) *graph.Node { return graph.Parameter(g, "w", shapes.Make(dtypes.Float32, k, n)) }
	first := func(x *tensors.Tensor) float32 {
		defer x.MustFinalizeAll()
		return tensors.MustCopyFlatData[float32](x)[0]
	}
	step := graph.NewGraph(d.Donating(1), "step")
	w := weight(step)
	if err := step.Compile(graph.AddScalar(w, 1), product(step, w)); err != nil {
		t.Fatal(err)
	}
	read := graph.NewGraph(d.Backend, "read")
	if err := read.Compile(product(read, weight(read))); err != nil {
		t.Fatal(err)
	}
	state := tensors.FromFlatDataAndDimensions(make([]float32, k*n), k, n)
	ones := tensors.FromFlatDataAndDimensions(slices.Repeat([]float32{1}, m*k), m, k)
	for i := range 4 {
		x, err := ones.Buffer(d.Backend, 0)
		if err != nil {
			t.Fatal(err)
		}
		in, err := state.DonateBuffer(d.Backend, 0)
		if err != nil {
			t.Fatal(err)
		}
		out := step.RunWithBuffers([]compute.Buffer{in, x}, []bool{true, false}, 0)
		if got := first(out[1]); got != float32(i)*k {
			t.Errorf("step %d: the product is %v, not %v", i, got, i*k)
		}
		state = out[0]
		held, err := state.Buffer(d.Backend, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := first(read.RunWithBuffers([]compute.Buffer{held, x}, []bool{false, false}, 0)[0]); got != float32(i+1)*k {
			t.Errorf("after step %d: another program reads %v, not %v", i, got, (i+1)*k)
		}
	}
}
