package train

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/speed"
)

// TestAnnounceCompile: the time that programs take is told if each of them was measured on
// this machine before, and never made up, whatever stands in the file.
func TestAnnounceCompile(t *testing.T) {
	dir := t.TempDir()
	var log strings.Builder
	l := &loop{stage: &stage{env: stages.Env{CacheDir: dir, Progress: func(stages.Progress) {}, Log: slog.New(slog.NewTextHandler(&log, nil))}}, trainer: &fit.Trainer{}, device: "cpu x"}
	l.compileModel = "6x384"
	told := func(does []string, kept bool) string {
		log.Reset()
		l.announceCompile(does, kept)
		_, text, _ := strings.Cut(log.String(), "msg=")
		return strings.TrimSpace(text)
	}
	check := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	check(told([]string{"step", "eval"}, true), `"compiling 2 programs, cached next time"`)
	if err := (speed.CompileTimes{l.compileKey("step"): 15.2}).Add(dir); err != nil {
		t.Fatal(err)
	}
	check(told([]string{"step", "eval"}, true), `"compiling 2 programs, cached next time"`)
	if err := (speed.CompileTimes{l.compileKey("eval"): 4}).Add(dir); err != nil {
		t.Fatal(err)
	}
	check(told([]string{"step", "eval", "step"}, true), `"compiling 3 programs, about 34 s, cached next time"`)
	check(told([]string{"eval"}, false), `"compiling a program, about 4 s"`)
	for _, bad := range []string{"{", `{"cpu x 6x384 eval": -4}`, `{"cpu x 6x384 eval": 1e300}`, strings.Repeat(" ", 1<<17) + `{"cpu x 6x384 eval": 4}`} {
		if err := os.WriteFile(filepath.Join(dir, "compile-times.json"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		check(told([]string{"eval"}, false), `"compiling a program"`)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("the cache holds %v, %v", files, err)
	}
}
