package trial

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Need is the free disk below which a stage may fail: an encoder, a plugin, checkpoints.
const Need = 2 << 30

// machine is the finding on what runs the trial.
func machine() Finding {
	host, _ := os.Hostname()
	return Finding{What: "machine", State: OK, Text: fmt.Sprintf("%s, %s/%s, %d cores", host, runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}
}

// disk looks for room in the folders, writes a megabyte into each, and asks for the user's
// quota.
func (w *Worker) disk(ctx context.Context) (out []Finding) {
	seen := map[string]bool{}
	for _, folder := range w.Folders {
		if folder == "" || seen[folder] {
			continue
		}
		seen[folder] = true
		const fix = "free some space there, or let `cache` of the executor name a folder on another disk"
		free, known := Free(folder)
		switch err := writes(folder); {
		case err != nil:
			out = append(out, Finding{What: "disk", State: Bad, Text: "a megabyte cannot be written: " + err.Error(), Fix: fix})
		case known && free < Need:
			out = append(out, Finding{What: "disk", State: Bad, Text: fmt.Sprintf("%d MB free in %s, and a stage may need %d", free>>20, folder, Need>>20), Fix: fix})
		case known:
			out = append(out, Finding{What: "disk", State: OK, Text: fmt.Sprintf("%.1f GB free in %s", float64(free)/1e9, folder)})
		}
	}
	return append(out, quota(ctx)...)
}

// writes tries a megabyte in a folder, or in the nearest above it that is there, and leaves
// nothing.
func writes(folder string) error {
	for {
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			break
		}
		up := filepath.Dir(folder)
		if up == folder {
			break
		}
		folder = up
	}
	f, err := os.CreateTemp(folder, ".sprint-trial-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(make([]byte, 1<<20))
	if err == nil {
		err = f.Sync() // a quota may be told only then
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// quota is what the place's own program says of the user's quota, if there is one. A star
// marks a limit that is reached.
func quota(ctx context.Context) []Finding {
	path, err := exec.LookPath("quota")
	if err != nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(limited, path, "-w", "-s")
	cmd.WaitDelay = time.Second
	said, _ := cmd.Output() // it ends with 1 over a limit
	var out []Finding
	for line := range strings.Lines(string(bytes.TrimSpace(said))) {
		words := strings.Fields(line)
		if len(words) < 4 || words[0] == "Disk" || words[0] == "Filesystem" {
			continue
		}
		f := Finding{What: "quota", State: OK, Text: fmt.Sprintf("%s of %s used in %s", words[1], words[3], words[0])}
		if strings.Contains(words[1], "*") {
			f.State, f.Fix = Bad, "free some space there, or ask for more"
		}
		out = append(out, f)
	}
	return out
}
