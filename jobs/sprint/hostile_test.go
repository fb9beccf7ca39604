//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/stages/rows/parquet/parquettest"
)

// keywordsModel is a folder in which rules answer: it has no model.
func keywordsModel(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"taxonomy.yaml": goodTaxonomy, "thresholds.json": "{}"})
	return dir
}

// peak runs the program to its end and returns how many bytes the largest of its processes
// had.
func peak(t *testing.T, dir string, args ...string) (code int, said string, bytes int64) {
	t.Helper()
	cmd := program(dir, args...)
	folder := t.TempDir()
	cmd.Env = append(cmd.Env, peaks+"="+folder)
	p := launch(t, cmd)
	code = p.code(t)
	notes, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(notes) == 0 {
		t.Fatalf("no process says how much memory it had, %v:\n%s", err, p.said.String())
	}
	for _, file := range notes {
		text, err := os.ReadFile(file)
		size, bad := strconv.ParseInt(string(text), 10, 64)
		if err != nil || bad != nil {
			t.Fatal(err, bad)
		}
		bytes = max(bytes, size<<10)
	}
	return code, p.said.String(), bytes
}

// TestBombs: a small file that stands for gigabytes takes neither classify nor a run's
// process down, and no process of them takes more than 256 MB more for it than for a
// good file.
func TestBombs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the kernel's count of memory is read from /proc")
	}
	const most = 256 << 20
	dir := keywordsModel(t)
	write(t, dir, map[string]string{"plan.yaml": goodPlan, "rows.jsonl": goodRows()})
	classify := []string{"classify", "--device", "go", "--model", "./", "--input"}
	code, said, base := peak(t, dir, append(classify, "rows.jsonl")...)
	if code != 0 {
		t.Fatalf("classify ends with %d: %s", code, said)
	}
	code, said, baseOfRun := peak(t, dir, "run", "--until", "fetch", "--store", "store")
	if code != 0 {
		t.Fatalf("run ends with %d: %s", code, said)
	}
	runs := []string{"a long text in fewer rows", "nulls", "many columns", "deep groups", "levels without end", "a page that cannot be decompressed, lz4"}
	for name, data := range parquettest.Bombs(t) {
		write(t, dir, map[string]string{"bomb.parquet": string(data)})
		code, said, size := peak(t, dir, append(classify, "bomb.parquet")...)
		switch whole := code == 0 && !strings.Contains(said, `"error"`); {
		case size > base+most:
			t.Errorf("%s: classify takes %d MB, %d for a good file", name, size>>20, base>>20)
		case !whole && (code != 1 || !strings.Contains(said, "read the input: ") && !strings.Contains(said, "none is called title")):
			t.Errorf("%s: classify ends with %d: %.500s", name, code, said)
		}
		if !slices.Contains(runs, name) {
			continue
		}
		code, said, size = peak(t, dir, "run", "--until", "fetch", "--store", "store", "--set", "fetch.files.paths=bomb.parquet")
		switch {
		case size > baseOfRun+most:
			t.Errorf("%s: a run takes %d MB, %d for a good file", name, size>>20, baseOfRun>>20)
		case code != 0 && (code != 3 || !strings.Contains(said, "bomb.parquet: ")):
			t.Errorf("%s: a run ends with %d: %.500s", name, code, said)
		}
	}
}

// TestClassifyStreams: answers to the first rows come while the input goes on.
func TestClassifyStreams(t *testing.T) {
	t.Parallel()
	cmd := program(keywordsModel(t), "classify", "--device", "go", "--model", "./")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, cmd)
	for i := range 2000 {
		if _, err := fmt.Fprintf(in, "{\"id\":\"row %d\",\"title\":\"Blaze\"}\n", i); err != nil {
			t.Fatal(err)
		}
	}
	p.says(t, `{"id":"row 1000",`)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if code := p.code(t); code != 0 || strings.Count(p.said.String(), `"source"`) != 2000 {
		t.Errorf("code %d, %d answers", code, strings.Count(p.said.String(), `"source"`))
	}
}

// TestStuckCommandEnds: one signal ends a command that waits for a file that never comes.
func TestStuckCommandEnds(t *testing.T) {
	for name, input := range map[string]string{"a fifo that nobody writes": "fifo", "a silent pipe": "-"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := keywordsModel(t)
			if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
				t.Skip(err)
			}
			cmd := program(dir, "classify", "--device", "go", "--model", "./", "--input", input)
			if _, err := cmd.StdinPipe(); err != nil { // stays open
				t.Fatal(err)
			}
			p := launch(t, cmd)
			p.says(t, "keywords answer")
			if err := p.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			defer time.AfterFunc(time.Minute, func() { _ = p.Process.Kill() }).Stop()
			if code := p.code(t); code != 75 || !strings.Contains(p.said.String(), "stopped by SIGTERM") {
				t.Errorf("code %d: %s", code, p.said.String())
			}
		})
	}
}
