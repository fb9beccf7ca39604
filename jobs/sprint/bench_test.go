package main

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkCommands times the built binary as whole processes: --help,
// validate, and a run of six stages with nothing to do. With
// BENCH_DVC naming a dvc program its `repro` of six unchanged stages
// runs beside.
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
