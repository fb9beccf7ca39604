package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a terminal: what is written to screen is read from keyboard.
func terminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := keyboard.Close(); err != nil {
			t.Error(err)
		}
	})
	return keyboard, screen
}

// readAll sends what a terminal showed, once its screen is closed.
func readAll(keyboard *os.File) <-chan string {
	shown := make(chan string, 1)
	go func() {
		var all strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				shown <- all.String()
				return
			}
		}
	}()
	return shown
}

// TestNothingOfAStoreSteers: what stands in a store is shown on a terminal, and neither
// colours nor steers it. What goes to a file is as it is.
func TestNothingOfAStoreSteers(t *testing.T) {
	const evil = "\x1b[2m\x1b]0;owned\x07\x1b[31mred\x1b[0m\u009b2J\n"
	dir := t.TempDir()
	write(t, dir, map[string]string{"plan.yaml": "name: p\nstages:\n  - name: c\n    kind: command\n    needs: []\n    with: {shell: true, argv: ['tee $SPRINT_OUTPUTS/out < {files.evil}; true'], files: [evil], outputs: [out]}\n", "evil": evil})
	if code, out, stderr := exec(t, dir, "run", "--store", "store"); code != 0 {
		t.Fatalf("the run ends with %d: %s%s", code, out, stderr)
	}
	if _, out, _ := exec(t, dir, "artifacts", "cat", "c.out", "--store", "store"); out != evil {
		t.Errorf("to no terminal goes %q", out)
	}
	foreign := filepath.Join(dir, "store", "runs", "\x1b[31mred")
	if err := os.MkdirAll(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, foreign, map[string]string{"result.json": "{}"})
	t.Chdir(dir)
	for _, args := range [][]string{{"logs"}, {"status"}, {"runs"}, {"store", "check"}, {"store", "copy", "store", "copy"}, {"artifacts", "cat", "c.out"}} {
		if args[0] != "store" || args[1] != "copy" {
			args = append(args, "--store", "store")
		}
		keyboard, screen := terminal(t)
		shown := readAll(keyboard)
		code := run(context.Background(), args, []string{"HOME=" + dir, "TERM=xterm", "PATH=" + os.Getenv("PATH")}, strings.NewReader(""), screen, screen)
		if err := screen.Close(); err != nil {
			t.Fatal(err)
		}
		text := <-shown
		if args[0] != "store" && args[0] != "runs" && args[0] != "status" && !strings.Contains(text, `\u001b]0;owned\u0007`) {
			t.Errorf("%v ends with %d and does not show what there is: %q", args, code, text)
		}
		for _, bad := range []string{"\x1b[2m", "\x1b]", "\x07", "\x1b[31m", "\u009b"} {
			if strings.Contains(text, bad) {
				t.Errorf("%v shows %q", args, text)
			}
		}
	}
}
