package jobs_test

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// goroutines returns a check that this package's code left none running.
func goroutines(t testing.TB) func(testing.TB) {
	known := map[string]bool{}
	ours := func() (out []string) {
		buf := make([]byte, 4<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			id, _, _ := strings.Cut(g, "[")
			if !known[id] && (strings.Contains(g, "/sprint/jobs.") || strings.Contains(g, "/sprint/storage.")) {
				out = append(out, g)
			}
		}
		return out
	}
	for _, g := range ours() { // of earlier tests
		id, _, _ := strings.Cut(g, "[")
		known[id] = true
	}
	return func(t testing.TB) {
		t.Helper()
		var left []string
		for range 200 {
			if left = ours(); len(left) == 0 {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("%d goroutines are left:\n%s", len(left), left[0])
	}
}
