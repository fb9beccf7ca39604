package xla

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func name(c string) string { return strings.Repeat(c, 64) }

func TestEvictKeepsWhatWasUsedLast(t *testing.T) {
	if !Available {
		return // there are no programs to keep
	}
	dir := filepath.Join(t.TempDir(), "programs")
	p := newProgramCache(Options{Device: "cpu", Digest: "sha256:x", Programs: dir})
	if p.reason != nil {
		t.Skip(p.reason)
	}
	p.maxBytes = 3 * 1100
	data := make([]byte, 1000)
	for i, c := range []string{"a", "b", "c"} {
		p.write(name(c), data, nil)
		at := time.Now().Add(time.Duration(i-10) * time.Minute)
		if err := os.Chtimes(filepath.Join(dir, name(c)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for file, age := range map[string]time.Duration{".new-old": 2 * time.Hour, ".new-young": time.Minute} {
		at := time.Now().Add(-age)
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if p.read(name("a")) == nil { // a is now the youngest
		t.Fatal("a is not kept")
	}
	p.write(name("d"), data, nil)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if want := []string{".new-young", name("a"), name("c"), name("d")}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

// TestOtherMachinesHaveOtherNames fails when a program could be loaded where it
// was not compiled for.
func TestOtherMachinesHaveOtherNames(t *testing.T) {
	base := func() *programCache {
		p := newProgramCache(Options{Device: "cpu", Digest: "sha256:x", Programs: t.TempDir()})
		p.key.CPU, p.key.CPUs = []string{"flags: avx2"}, 2
		return p
	}
	seen := map[string]string{}
	add := func(what, name string) {
		if other, ok := seen[name]; ok {
			t.Errorf("%s and %s share a name", what, other)
		}
		seen[name] = what
	}
	part := func(s string) []byte { return []byte(s) }
	add("base", base().fileName(part("mlir"), part("options"), part("code")))
	if _, ok := seen[base().fileName(part("mlir"), part("options"), part("code"))]; !ok {
		t.Error("the same program has two names")
	}
	add("code", base().fileName(part("mlir"), part("options"), part("code2")))
	add("options", base().fileName(part("mlir"), part("option"), part("scode")))
	for what, change := range map[string]func(*programKey){
		"plugin":   func(k *programKey) { k.Plugin = "sha256:y" },
		"device":   func(k *programKey) { k.Device = "cuda" },
		"platform": func(k *programKey) { k.Platform = "NVIDIA H100" },
		"cpu":      func(k *programKey) { k.CPU = []string{"flags: avx512f"} },
		"cpus":     func(k *programKey) { k.CPUs = 4 },
		"flags":    func(k *programKey) { k.Flags = "--xla_cpu_enable_fast_math" },
	} {
		p := base()
		change(&p.key)
		add(what, p.fileName(part("mlir"), part("options"), part("code")))
	}
}

// TestBrokenFolders keeps nothing, without an error and with a word in the log.
func TestBrokenFolders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, dir := range map[string]string{"no folder": "", "under a file": filepath.Join(file, "programs"), "no space": "/dev/full"} {
		var log bytes.Buffer
		p := newProgramCache(Options{Device: "cpu", Digest: "sha256:x", Programs: dir, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if got := p.read(name("a")); got != nil {
			t.Errorf("%s: read %d bytes", what, len(got))
		}
		if p.enabled() {
			p.write(name("a"), []byte("x"), nil)
		}
		if p.enabled() || !strings.Contains(log.String(), "not kept") {
			t.Errorf("%s: %s", what, log.String())
		}
	}
}

func TestProcessorFacts(t *testing.T) {
	for info, want := range map[string][]string{
		"processor\t: 0\nmodel name\t: Xeon\ncpu MHz\t\t: 2000.1\nflags\t\t: fpu avx2\n\nprocessor\t: 1\nmodel name\t: Other\n": {"model name: Xeon", "flags: fpu avx2"},
		"processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU part\t: 0xd0c\n":                                          {"Features: fp asimd", "CPU part: 0xd0c"},
		"":           nil,
		"nonsense\n": nil,
	} {
		if got := processorFacts(info); !slices.Equal(got, want) {
			t.Errorf("%q: %q", info, got)
		}
	}
}
