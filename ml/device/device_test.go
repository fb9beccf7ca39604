package device_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/wheel"
)

func none(string) string { return "" }
func noGPU() bool        { return false }
func gpu() bool          { return true }

// cache is shared by the packages' tests, so that a plugin is fetched once.
func cache() string { return filepath.Join(os.TempDir(), "sprint-test-cache") }

// grad runs f(x) = sum(erf(x)*x)'s gradient, enough to prove that a backend compiles and runs.
func grad(t *testing.T, d *device.Device) []float32 {
	t.Helper()
	exec, err := graph.NewExec(d.Backend, func(x *graph.Node) *graph.Node {
		y := graph.ReduceAllSum(graph.Mul(graph.Erf(x), x))
		return graph.Gradient(y, x)[0]
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call([]float32{-1, 0, 0.5, 2})
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Value().([]float32)
}

func checkGrad(t *testing.T, got []float32) {
	t.Helper()
	// erf(x) + x*2/sqrt(pi)*exp(-x^2), from a calculator.
	want := []float32{-1.2578093, 0, 0.9598919, 1.0366555}
	for i := range want {
		if diff := got[i] - want[i]; diff > 1e-5 || diff < -1e-5 {
			t.Fatalf("gradient %v, want %v", got, want)
		}
	}
}

func TestGoOpensEverywhere(t *testing.T) {
	d, err := device.Open(t.Context(), device.Go, device.Options{Getenv: none})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Name != device.Go || d.Plugin == "" {
		t.Fatalf("info %+v", d.Info)
	}
	checkGrad(t, grad(t, d))
}

func TestCUDAIsNeverReplaced(t *testing.T) {
	_, err := device.Open(t.Context(), device.CUDA, device.Options{CacheDir: t.TempDir(), Getenv: none, HasGPU: noGPU})
	var e *device.Error
	if !errors.As(err, &e) || len(e.There) != 3 || !strings.Contains(err.Error(), "NVIDIA GPU") && !strings.Contains(err.Error(), "no XLA") {
		t.Fatalf("got %v", err)
	}
}

func TestUnknownNameListsTheKnown(t *testing.T) {
	_, err := device.Open(t.Context(), "tpu", device.Options{})
	if err == nil || !strings.Contains(err.Error(), "auto, cuda, cpu, go") {
		t.Fatalf("got %v", err)
	}
}

func TestAutoFallsBackToGoAndSaysWhy(t *testing.T) {
	d, err := device.Open(t.Context(), device.Auto, device.Options{CacheDir: t.TempDir(), Offline: true, Getenv: none, HasGPU: gpu})
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != device.Go || !strings.Contains(d.Fallback, "cuda: ") || !strings.Contains(d.Fallback, "cpu: ") {
		t.Fatalf("info %+v", d.Info)
	}
}

func TestDemandedCPUOfflineIsRefused(t *testing.T) {
	if !device.HasXLA {
		return // covered by TestCUDAIsNeverReplaced: every plugin is refused by this build
	}
	_, err := device.Open(t.Context(), device.CPU, device.Options{CacheDir: t.TempDir(), Offline: true, Getenv: none})
	if !errors.Is(err, wheel.ErrOffline) {
		t.Fatalf("got %v", err)
	}
}

func TestCancelIsNotAFallback(t *testing.T) {
	if !device.HasXLA {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := device.Open(ctx, device.Auto, device.Options{CacheDir: t.TempDir(), Getenv: none, HasGPU: noGPU})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestCorruptPluginIsRefusedBeforeItIsLoaded(t *testing.T) {
	if !device.HasXLA {
		return
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"pjrt_c_api_text_plugin.so":      []byte("not a library"),
		"pjrt_c_api_empty_plugin.so":     nil,
		"pjrt_c_api_header_plugin.so":    program[:64],
		"pjrt_c_api_truncated_plugin.so": program[:len(program)/2],
		"pjrt_c_api_program_plugin.so":   program,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o755); err != nil {
			t.Fatal(err)
		}
		getenv := func(string) string { return path }
		_, err := device.Open(t.Context(), device.CPU, device.Options{Getenv: getenv})
		if !errors.Is(err, device.ErrCorruptPlugin) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
		if info := device.List(t.Context(), device.Options{Getenv: getenv})[1]; info.Err == "" {
			t.Errorf("%s: listed as usable", name)
		}
	}
}

func TestMissingOwnPluginIsNamed(t *testing.T) {
	if !device.HasXLA {
		return
	}
	getenv := func(string) string { return filepath.Join(t.TempDir(), "gone.so") }
	_, err := device.Open(t.Context(), device.CPU, device.Options{Getenv: getenv})
	if err == nil || !strings.Contains(err.Error(), "gone.so") || !strings.Contains(err.Error(), device.PluginPathEnv) {
		t.Fatalf("got %v", err)
	}
}

func TestPinnedCPUPlugin(t *testing.T) {
	if !device.HasXLA || !device.Pinned(device.CPU) {
		return // no plugin can be fetched for this platform; the refusals above are what is promised here
	}
	o := device.Options{CacheDir: cache(), Getenv: none, HasGPU: noGPU}
	d, err := device.Open(t.Context(), device.Auto, o)
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != device.CPU || d.Fallback != "" || d.API == "" || d.PluginVersion == "" || !strings.HasPrefix(d.Digest, "sha256:") || d.MemoryBytes == 0 {
		t.Errorf("info %+v", d.Info)
	}
	checkGrad(t, grad(t, d))
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error("second Close:", err)
	}
	if listed := device.List(t.Context(), o)[1]; listed.Err != "" || listed.Path != d.Path {
		t.Errorf("listed %+v, opened %+v", listed, d.Info)
	}
	// The same file as a plugin of the user's own.
	o.Getenv = func(string) string { return filepath.Dir(d.Path) }
	own, err := device.Open(t.Context(), device.CPU, o)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if own.Digest != d.Digest || own.PluginVersion != "" {
		t.Errorf("info %+v", own.Info)
	}
}

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
