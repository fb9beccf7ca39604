package device_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"

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
