//go:build unix

package device

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOldDriver: a driver that no pinned plugin runs on is told before 190 MB are fetched.
func TestOldDriver(t *testing.T) {
	if !HasXLA {
		t.Skip("this build has no XLA")
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "nvidia-smi"), []byte("#!/bin/sh\necho '470.82.01, 16384'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv(PluginPathEnv, "")
	_, err := Open(t.Context(), CUDA, Options{CacheDir: t.TempDir(), Offline: true})
	wrong, ok := errors.AsType[*Error](err)
	if !ok || !strings.Contains(wrong.Message, "driver 470 is too old") || !strings.Contains(wrong.Hint, "525") {
		t.Errorf("%v", err)
	}
}
