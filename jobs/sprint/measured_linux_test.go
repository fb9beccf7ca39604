package main

import (
	"bytes"
	"fmt"
	"os"
	osexec "os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// measured runs a command to its end and returns what it printed, how long it
// took and the largest resident memory it had. The memory is polled: what wait
// reports begins at that of the process that starts it.
func measured(t testing.TB, dir, bin string, args ...string) (printed string, took time.Duration, rss int64) {
	t.Helper()
	cmd := osexec.Command(bin, args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var polling sync.WaitGroup
	polling.Go(func() {
		for {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)) // gone when it ended
			_, rest, _ := strings.Cut(string(status), "VmHWM:")
			var kB int64
			if _, err := fmt.Sscan(rest, &kB); err == nil {
				rss = max(rss, kB<<10)
			}
			select {
			case <-ended:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	err := cmd.Wait()
	took = time.Since(began)
	close(ended)
	polling.Wait()
	if err != nil {
		t.Errorf("%v: %v: %.2000s", args, err, out.String())
	}
	return out.String(), took, rss
}
