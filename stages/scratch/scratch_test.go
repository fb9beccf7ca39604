//go:build unix

package scratch

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary play the process that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "play-scratch" {
		os.Exit(playScratch())
	}
	os.Exit(m.Run())
}

// playScratch makes a scratch folder, says where, and waits to be killed.
func playScratch() int {
	dir, _, err := New()
	if err != nil {
		return 1
	}
	fmt.Println(dir)
	time.Sleep(time.Minute)
	return 0
}

// TestSweep: the folder of a killed process is removed, with all that is
// in it, and that of a live one stays.
func TestSweep(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	child := exec.Command(os.Args[0], "play-scratch")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	theirs := strings.TrimSpace(line)
	if err := os.MkdirAll(filepath.Join(theirs, "work", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	own, done, err := New()
	if err != nil {
		t.Fatal(err)
	}
	Sweep()
	for _, dir := range []string{own, theirs} {
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("the folder of a live process: %v", err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	Sweep()
	if _, err := os.Stat(theirs); !os.IsNotExist(err) {
		t.Errorf("the folder of a killed process: %v", err)
	}
	done()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
