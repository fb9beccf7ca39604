package main

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkMake times a run with nothing to do beside make with nothing to do on
// the same graph, in turns, as whole processes. It reports the medians in
// milliseconds and how many times as long as make the run takes; the mark for a
// plan of six stages is 8. What validate and plan take of it stands beside.
func BenchmarkMake(b *testing.B) {
	peer, err := osexec.LookPath("make")
	if err != nil {
		b.Skip("make is not installed")
	}
	bin := filepath.Join(b.TempDir(), "sprint")
	if out, err := osexec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for _, n := range []int{6, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			plan, rules, before := "name: bench\nstages:\n", "all:", ""
			for i := range n {
				out := fmt.Sprintf("out%d", i)
				plan += fmt.Sprintf("  - {name: s%d, kind: command, with: {argv: [sh, -c, 'echo %d > $SPRINT_OUTPUTS/%s'], outputs: [%s]}}\n", i, i, out, out)
				rules = strings.Replace(rules, "all:", "all: "+out, 1) + fmt.Sprintf("\n%s: %s\n\techo %d > %s\n", out, before, i, out)
				before = out
			}
			for name, text := range map[string]string{"plan.yaml": plan, "Makefile": rules} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			took := map[string][]time.Duration{}
			one := func(name string, argv ...string) {
				cmd := osexec.Command(argv[0], argv[1:]...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "SPRINT_CACHE="+filepath.Join(dir, "cache"))
				began := time.Now()
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				took[name] = append(took[name], time.Since(began))
			}
			one("first", bin, "run", "-q")
			one("first", peer, "-s")
			for b.Loop() {
				one("make", peer, "-s")
				one("noop", bin, "run", "-q")
				one("validate", bin, "validate")
				one("plan", bin, "plan")
			}
			b.ReportMetric(0, "ns/op")
			median := func(name string) float64 {
				d := slices.Sorted(slices.Values(took[name]))
				return d[len(d)/2].Seconds() * 1000
			}
			for _, name := range []string{"make", "noop", "validate", "plan"} {
				b.ReportMetric(median(name), name+"-ms")
			}
			b.ReportMetric(median("noop")/median("make"), "x-make")
		})
	}
}

// BenchmarkCommands times the built binary as whole processes: --help,
// validate, and a run of six stages with nothing to do. With
// BENCH_DVC naming a dvc program its `repro` of six unchanged stages
// listRuns beside.
func BenchmarkCommands(b *testing.B) {
	dir := b.TempDir()
	bin := filepath.Join(dir, "sprint")
	if out, err := osexec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	stages := "name: bench\nstages:\n"
	for _, n := range []string{"fetch", "label", "split", "train", "verify", "publish"} {
		stages += "  - name: " + n + "\n    kind: command\n    with: {argv: [sh, -c, 'echo " + n + " > $SPRINT_OUTPUTS/out_" + n + "'], outputs: [out_" + n + "]}\n"
	}
	plan := filepath.Join(dir, "plan.yaml")
	if err := os.WriteFile(plan, []byte(stages), 0o644); err != nil {
		b.Fatal(err)
	}
	env := append(os.Environ(), "SPRINT_CACHE="+filepath.Join(dir, "cache"))
	one := func(b *testing.B, name string, args ...string) {
		cmd := osexec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, env
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	one(b, bin, "run", plan)
	for name, args := range map[string][]string{"help": {"--help"}, "validate": {"validate", plan}, "noop": {"run", plan}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				one(b, bin, args...)
			}
		})
	}
	dvc := os.Getenv("BENCH_DVC")
	if dvc == "" {
		return
	}
	repo := b.TempDir()
	y, before := "stages:\n", "seed.txt"
	for _, n := range []string{"fetch", "label", "split", "train", "verify", "publish"} {
		y += "  " + n + ":\n    cmd: cp " + before + " " + n + ".txt\n    deps: [" + before + "]\n    outs: [" + n + ".txt]\n"
		before = n + ".txt"
	}
	for name, text := range map[string]string{"dvc.yaml": y, "seed.txt": "x"} {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for _, line := range []string{"git init -q .", dvc + " init -q", dvc + " repro -q"} {
		f := strings.Fields(line)
		cmd := osexec.Command(f[0], f[1:]...)
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s: %v: %s", line, err, out)
		}
	}
	b.Run("dvc-repro", func(b *testing.B) {
		for b.Loop() {
			cmd := osexec.Command(dvc, "repro", "-q")
			cmd.Dir = repo
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		}
	})
}
