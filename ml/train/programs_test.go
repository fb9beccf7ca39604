package train

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// keeping opens the CPU plugin with programs kept in dir.
func keeping(t testing.TB, dir string) *device.Device {
	t.Helper()
	if !device.HasXLA {
		t.Skip("this build has no XLA")
	}
	d, err := device.Open(t.Context(), device.CPU, device.Options{CacheDir: encodertest.Cache(), ProgramDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestLoadedProgramsTrainAlike: a fit with programs from the cache ends with
// the bytes of one that compiled them, accumulated gradients included.
func TestLoadedProgramsTrainAlike(t *testing.T) {
	e := tiny(t)
	for _, parts := range []int{1, 2} {
		dir := filepath.Join(t.TempDir(), "programs")
		o := options()
		o.Accumulate = parts
		digests := map[string]bool{}
		for _, warm := range []bool{false, true} {
			tr := start(t, model(t, e, bert.Mean), keeping(t, dir), rows(64, 1), rows(16, 2), o)
			all, loaded := tr.Programs()
			if want := map[bool]int{true: all}[warm]; loaded != want || all < 2 {
				t.Errorf("in %d parts, warm %v: %d of %d programs were loaded", parts, warm, loaded, all)
			}
			h := sha256.New()
			for _, loss := range steps(t, tr, tr.Total()) {
				fmt.Fprintln(h, loss)
			}
			w, err := tr.Weights()
			if err != nil {
				t.Fatal(err)
			}
			val, err := tr.Validate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range append(w, val.Scores...) {
				fmt.Fprintln(h, v)
			}
			digests[fmt.Sprintf("%x", h.Sum(nil))] = true
		}
		if len(digests) != 1 {
			t.Errorf("in %d parts: the fits ended with %d states", parts, len(digests))
		}
	}
}

// TestOnCompile: who watches is told once, before the first program is compiled, of all
// that are not there; of those that were kept it is not.
func TestOnCompile(t *testing.T) {
	e, dir := tiny(t), filepath.Join(t.TempDir(), "programs")
	for _, warm := range []bool{false, true} {
		tr, err := New(model(t, e, bert.Mean), keeping(t, dir), rows(64, 1), rows(16, 2), options())
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		var told [][]string
		tr.OnCompile = func(does []string, kept bool) {
			if built, _ := tr.Programs(); !kept || built != 1 {
				t.Errorf("told with %d programs built, kept %v", built, kept)
			}
			told = append(told, does)
		}
		if err := tr.Compile(t.Context(), func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		all, _ := tr.Programs()
		compiled := 0
		for _, took := range tr.Compiled {
			compiled += len(took)
		}
		if warm && (len(told) != 0 || compiled != 0) || !warm && (len(told) != 1 || len(told[0]) != all || compiled != all) {
			t.Errorf("warm %v: told of %v, %d compiled of %d", warm, told, compiled, all)
		}
	}
}
