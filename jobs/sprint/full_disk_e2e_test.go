//go:build e2e && linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const fillingPlan = `name: filling
stages:
  - name: noise
    kind: command
    with: {argv: ["head -c 300000 /dev/urandom > $SPRINT_OUTPUTS/noise; echo 0 > $SPRINT_OUTPUTS/number"], shell: true, outputs: [noise, number]}
`

// smallDisk mounts a file system of a few MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("no disk of a few MB can be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillDisk writes until not one byte more fits.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{64 << 10, 4 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// TestGCOnAFullDisk: on a disk with no byte left a run ends with code 4 and gc frees
// what nobody needs; then the run goes on. It does so again when the disk is full
// again, also if there are more tombstones to write than the reserve has room for.
func TestGCOnAFullDisk(t *testing.T) {
	disk := smallDisk(t)
	store, dir := filepath.Join(disk, "store"), t.TempDir()
	write(t, dir, map[string]string{"plan.yaml": fillingPlan})
	must := func(want int, args ...string) string {
		t.Helper()
		code, out, stderr := exec(t, dir, append(args, "--store", store)...)
		if code != want {
			t.Fatalf("%v ends with %d, want %d:\n%s%s", args, code, want, out, stderr)
		}
		return out + stderr
	}
	number := 0
	work := func(n int) {
		t.Helper()
		for range n {
			number++
			must(0, "run", "--set", "noise.argv=head -c 300000 /dev/urandom > $SPRINT_OUTPUTS/noise; echo "+strconv.Itoa(number)+" > $SPRINT_OUTPUTS/number")
		}
	}
	work(8)
	for range 2 {
		fillDisk(t, filepath.Join(disk, "filler"))
		must(4, "run", "--set", "noise.argv=echo 1 | tee $SPRINT_OUTPUTS/noise > $SPRINT_OUTPUTS/number")
		must(0, "gc", "--yes", "--keep-runs", "1", "--older-than", "0s")
		work(4)
		must(0, "artifacts", "verify", "--all")
		if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
			t.Fatal(err)
		}
		work(2)
	}
	// Without a reserve it says what to do.
	if err := os.Remove(filepath.Join(store, ".tmp", "reserve")); err != nil {
		t.Fatal(err)
	}
	fillDisk(t, filepath.Join(disk, "filler"))
	if out := must(4, "gc", "--yes", "--keep-runs", "1", "--older-than", "0s"); !strings.Contains(out, "by hand") {
		t.Errorf("it says\n%s", out)
	}
}
