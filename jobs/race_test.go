package jobs_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage"
)

// A runner that looked a key up before another one committed it, and asks for
// the lease after the other released it, must adopt and not run again.
func TestCommitBetweenLookupAndLease(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan)
	other := *b
	var once sync.Once
	store, err := storage.Open(t.Context(), filepath.Join(b.Dir, "store"), &storage.Options{
		Around: func(_ context.Context, _, key string, call func() error) error {
			if strings.HasPrefix(key, "leases/make/") {
				once.Do(func() { other.MustRun(0, "succeeded succeeded succeeded succeeded") })
			}
			return call()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	b.Store = store
	res, err := b.Run()
	if err != nil || res.Code != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	if got := b.Count.String(); got != "map[join:1 make:1 refine:1 slow:1]" {
		t.Errorf("ran %s", got)
	}
}
