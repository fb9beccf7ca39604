package xla_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/sprint-ml/sprint/ml/device"
)

// cache is shared by the packages' tests, so that a plugin is fetched once.
func cache() string { return filepath.Join(os.TempDir(), "sprint-test-cache") }

func none(string) string { return "" }

// openKeeping opens the CPU plugin with programs kept in dir.
func openKeeping(t *testing.T, dir string) *device.Device {
	t.Helper()
	if !device.HasXLA || !device.Pinned(device.CPU) {
		t.Skip("no plugin can be fetched for this platform")
	}
	d, err := device.Open(t.Context(), device.CPU, device.Options{CacheDir: cache(), ProgramDir: dir, Getenv: none})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// kept lists the files of a folder of programs.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// steps runs a program that updates its donated state, and returns the state
// and the number of buffers that it lived in.
func steps(t *testing.T, d *device.Device) ([]float32, int) {
	t.Helper()
	g := graph.NewGraph(d.Donating(1), "kept")
	x := graph.Parameter(g, "x", shapes.Make(dtypes.Float32, 1<<12))
	if err := g.Compile(graph.Add(graph.Erf(x), graph.Tanh(graph.AddScalar(x, 0.1))), graph.ReduceAllSum(x)); err != nil {
		t.Fatal(err)
	}
	defer g.Finalize()
	state := tensors.FromFlatDataAndDimensions(make([]float32, 1<<12), 1<<12)
	at := map[*float32]bool{}
	for range 4 {
		in, err := state.DonateBuffer(d.Backend, 0)
		if err != nil {
			t.Fatal(err)
		}
		out := g.RunWithBuffers([]compute.Buffer{in}, []bool{true}, 0)
		state = out[0]
		tensors.MustConstFlatData(state, func(flat []float32) { at[&flat[0]] = true })
		out[1].MustFinalizeAll()
	}
	defer state.MustFinalizeAll()
	return tensors.MustCopyFlatData[float32](state), len(at)
}

// TestThreadsHandleNoSignals: a signal on a thread of the plugin overwrites the heap while
// oneDNN multiplies there.
func TestThreadsHandleNoSignals(t *testing.T) {
	openKeeping(t, t.TempDir())
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) == 0 {
		t.Skip("threads are not seen here")
	}
	const sigprof = 27 // on Linux, whose folder this is
	workers := 0
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil || !bytes.HasPrefix(status, []byte("Name:\ttf_XLAEigen\n")) {
			continue // another thread, or one that has ended
		}
		workers++
		blocked := regexp.MustCompile(`SigBlk:\t([0-9a-f]+)`).FindSubmatch(status)
		if set, err := strconv.ParseUint(string(blocked[1]), 16, 64); err != nil || set>>(sigprof-1)&1 == 0 {
			t.Errorf("%s blocks %s: %v", task, blocked[1], err)
		}
	}
	if workers == 0 {
		t.Error("no thread of the plugin was found")
	}
}

// TestKeptProgramsRunAsCompiledOnes fails too when another go-xla does not let
// its plugins be interposed, or a plugin does not serialise.
func TestKeptProgramsRunAsCompiledOnes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	cold := openKeeping(t, dir)
	want, _ := steps(t, cold)
	if got := cold.Programs(); got.Compiled != 1 || got.Loaded != 0 {
		t.Fatalf("first: %+v", got)
	}
	files := kept(t, dir)
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	warm := openKeeping(t, dir)
	got, buffers := steps(t, warm)
	if c := warm.Programs(); c.Compiled != 0 || c.Loaded != 1 {
		t.Fatalf("second: %+v", c)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("element %d is %v, not %v", i, got[i], want[i])
		}
	}
	if buffers > 2 {
		t.Errorf("a loaded program with a donated input used %d buffers in 4 steps", buffers)
	}
}

// TestDamagedProgramsAreCompiledAgain breaks the file and the folder in every
// way that must not matter.
func TestDamagedProgramsAreCompiledAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	want, _ := steps(t, openKeeping(t, dir))
	file := kept(t, dir)[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	write := func(data []byte) func() error {
		return func() error { return os.WriteFile(file, data, 0o600) }
	}
	other := strings.Repeat("0", 64)
	for _, c := range []struct {
		name   string
		damage func() error
		keeps  bool // the program is there again afterwards
	}{
		{"flipped bit", write(flipped), true},
		{"cut", write(whole[:len(whole)-1]), true},
		{"longer", write(append(bytes.Clone(whole), 0)), true},
		{"empty", write(nil), true},
		{"header", write(whole[:20]), true},
		{"another format", write(append([]byte("sprint program 0\n"), whole[17:]...)), true},
		{"huge", func() error { return errors.Join(write(whole)(), os.Truncate(file, 1<<40)) }, true},
		{"of another name", func() error { return os.Rename(file, filepath.Join(dir, other)) }, true},
		{"written by others", func() error { return os.Chmod(file, 0o666) }, true},
		{"a folder in its place", func() error { return errors.Join(os.Remove(file), os.MkdirAll(filepath.Join(file, "x"), 0o700)) }, false},
		{"link", func() error {
			return errors.Join(os.RemoveAll(file), os.Symlink("/dev/zero", file))
		}, true},
		{"folder of others", func() error { return os.Chmod(dir, 0o777) }, false},
		{"folder is a file", func() error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) }, false},
	} {
		if err := c.damage(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		d := openKeeping(t, dir)
		got, _ := steps(t, d)
		if n := d.Programs(); n.Compiled != 1 || n.Loaded != 0 {
			t.Errorf("%s: %+v", c.name, n)
		}
		if got[7] != want[7] {
			t.Errorf("%s: %v, not %v", c.name, got[7], want[7])
		}
		if !c.keeps {
			continue
		}
		again := openKeeping(t, dir)
		if got, _ := steps(t, again); again.Programs().Loaded != 1 || got[7] != want[7] {
			t.Errorf("%s: the program was not kept again: %+v", c.name, again.Programs())
		}
	}
}

func TestProgramsOfManyProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	var all sync.WaitGroup
	for range 4 {
		d := openKeeping(t, dir)
		all.Add(1)
		go func() {
			defer all.Done()
			steps(t, d)
		}()
	}
	all.Wait()
	if files := kept(t, dir); len(files) != 1 {
		t.Errorf("files %v", files)
	}
	d := openKeeping(t, dir)
	if steps(t, d); d.Programs().Loaded != 1 {
		t.Errorf("%+v", d.Programs())
	}
}

// TestTableOfThePlugin compares the places of the functions with the header
// that go-xla carries.
func TestTableOfThePlugin(t *testing.T) {
	if !device.HasXLA {
		return
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gomlx/go-xla").Output()
	if err != nil {
		t.Skip("no go command")
	}
	theirs, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "pjrt", "pjrt_c_api.h"))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile("pjrt.h")
	if err != nil {
		t.Fatal(err)
	}
	place := map[string]int{}
	for i, m := range regexp.MustCompile(`(?m)^  _PJRT_API_STRUCT_FIELD\((\w+)\);`).FindAllSubmatch(theirs, -1) {
		place[strings.ReplaceAll(string(m[1]), "_", "")] = i
	}
	checked := 0
	for _, m := range regexp.MustCompile(`(?m)^  pjrt(\w+) = (\d+),`).FindAllSubmatch(ours, -1) {
		at, ok := place["PJRT"+string(m[1])]
		if !ok || string(m[2]) != strconv.Itoa(at) {
			t.Errorf("%s is at %s here, at %d (%v) there", m[1], m[2], at, ok)
		}
		checked++
	}
	if checked < 10 {
		t.Errorf("only %d places were found", checked)
	}
}
