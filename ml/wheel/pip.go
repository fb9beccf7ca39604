package wheel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/plainfile"
)

// download runs pip in the private folder tmp and returns the wheel's path; the
// digest is checked here again, since pip's own check cannot be seen from outside.
func download(ctx context.Context, p Pin, tmp string, o Options) (string, error) {
	python, err := findPython(o.Python)
	if err != nil {
		return "", noPip(p, "there is no python3 on PATH", err)
	}
	reqs := filepath.Join(tmp, "requirements.txt")
	if err := os.WriteFile(reqs, fmt.Appendf(nil, "%s==%s --hash=sha256:%s\n", p.Name, p.Version, p.SHA256), 0o600); err != nil {
		return "", fmt.Errorf("write pip's requirements: %w", err)
	}
	dest := filepath.Join(tmp, "wheel")
	args := []string{"-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:",
		"--no-input", "--disable-pip-version-check", "--progress-bar=off", "--dest", dest, "-r", reqs}
	if p.Platform != "" {
		args = append(args, "--platform", p.Platform, "--python-version", "3.11")
	}
	cmd := exec.CommandContext(ctx, python, args...)
	cmd.Dir = tmp // python -m looks for pip in the working folder first, which may be anybody's
	cmd.WaitDelay = 5 * time.Second
	// pip's scratch space lies in tmp, so that a kill leaves nothing elsewhere
	// and growth can be watched. Older pips ignore PIP_RESUME_RETRIES.
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "TMP="+tmp, "TEMP="+tmp, "PIP_RESUME_RETRIES=5")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stop := watch(tmp, p.Size, o.Progress)
	err = cmd.Run()
	stop()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", pipError(p, out.String(), err)
	}
	files, err := filepath.Glob(filepath.Join(dest, "*.whl"))
	if err != nil || len(files) != 1 {
		return "", &Error{Kind: ErrDownload, Pin: p, Message: fmt.Sprintf("pip left %d wheels where one was expected", len(files)), Err: err}
	}
	sum, err := HashFile(files[0])
	if err != nil {
		return "", fmt.Errorf("hash the wheel: %w", err)
	}
	if sum != p.SHA256 {
		return "", &Error{Kind: ErrCorrupt, Pin: p, Message: "pip delivered a file with sha256 " + sum + ", pinned is " + p.SHA256, Hint: "the index serves another file under this name; do not use it"}
	}
	return files[0], nil
}

// pipError sorts pip's failures into those that the user mends differently.
func pipError(p Pin, output string, err error) error {
	if strings.Contains(output, "No module named pip") {
		return noPip(p, "python3 is there but has no pip", nil)
	}
	if strings.Contains(output, "DO NOT MATCH THE HASHES") {
		return &Error{Kind: ErrCorrupt, Pin: p, Message: "the index serves a file whose sha256 is not the pinned one", Hint: "check the index that pip is configured to use (`python3 -m pip config list`)"}
	}
	return &Error{Kind: ErrDownload, Pin: p, Message: "pip could not fetch it: " + lastError(output), Err: err,
		Hint: "check the network and pip's index and proxy (`python3 -m pip config list`)" + orHint(p)}
}

func noPip(p Pin, message string, err error) error {
	return &Error{Kind: ErrNoPip, Pin: p, Message: message, Err: err, Hint: "install Python 3 with pip (Debian: apt-get install python3-pip)" + orHint(p)}
}

// lastError picks pip's own reason out of its output; the first ERROR line after
// the retries is the telling one, and the last line when there is none.
func lastError(output string) string {
	last := "no output"
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if msg, ok := strings.CutPrefix(line, "ERROR: "); ok {
			return msg
		}
		if line != "" {
			last = line
		}
	}
	return last
}

func findPython(given string) (string, error) {
	if given != "" {
		return exec.LookPath(given)
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		if other, err2 := exec.LookPath("python"); err2 == nil {
			return other, nil
		}
	}
	return path, err
}

// watch reports how many bytes lie under dir until the returned stop is called.
// Measuring the folder works with every version of pip; its output does not.
func watch(dir string, total int64, progress func(done, total int64)) (stop func()) {
	if progress == nil {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				progress(min(treeSize(dir), total), total)
			}
		}
	}()
	return func() { close(quit); <-done }
}

// treeSize sums file sizes; files that vanish meanwhile count as nothing.
func treeSize(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// HashFile returns the sha256 of a plain file in hex.
func HashFile(path string) (string, error) {
	f, err := plainfile.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
