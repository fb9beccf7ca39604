package jobs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/jobstest"
	"github.com/sprint-ml/sprint/storage/models"
)

// TestPublicationHeals: a publish whose alias, release or copy of a file is gone or
// damaged is not cached: the run says what is missing and makes it again, under the
// same version. An alias that somebody moved stays where it is.
func TestPublicationHeals(t *testing.T) {
	b := jobstest.NewBench(t, jobstest.Plan+"  - name: ship\n")
	b.MustRun(0, "succeeded succeeded succeeded succeeded succeeded")
	cached := "cached cached cached cached cached"
	b.MustRun(0, cached)
	for key, what := range map[string]string{
		"models/toy/aliases/latest":    "alias latest of toy",
		"models/toy/1/release.json":    "release toy@1",
		"models/toy/1/files/model":     "file model of release toy@1",
		"models/toy/1/files/unknown":   "", // nobody's
		"last/toys/ship":               "",
		"models/toy/aliases/unrelated": "",
	} {
		path := filepath.Join(b.Store.Source(), filepath.FromSlash(key))
		whole, err := os.ReadFile(path)
		for harm, do := range map[string]func() error{
			"gone":    func() error { return os.RemoveAll(path) },
			"damaged": func() error { return os.WriteFile(path, bytes.TrimRight(whole, "\n}x"), 0o644) },
		} {
			if what == "" && harm == "gone" {
				continue
			}
			if err := do(); err != nil {
				t.Fatal(err)
			}
			if what == "" {
				b.MustRun(0, cached)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			res := b.MustRun(0, "cached cached cached cached succeeded")
			if got := res.Stages[4].Reason; got != what+" is "+harm {
				t.Errorf("%s %s: the reason is %q", key, harm, got)
			}
			if now, err := os.ReadFile(path); err != nil || strings.Contains(key, "files") && !bytes.Equal(now, whole) {
				t.Errorf("%s %s: it is %q now, %v", key, harm, now, err)
			}
			if r, err := models.In(b.Store).Release(b.Ctx, "toy", "latest"); err != nil || r.Version != 1 {
				t.Errorf("%s %s: latest is %d, %v", key, harm, r.Version, err)
			}
			b.MustRun(0, cached)
		}
	}
	b.Set = []string{"ship.text=other", "slow.text=other"}
	b.MustRun(0, "cached cached cached succeeded succeeded")
	b.Set = nil
	b.MustRun(0, cached)
	if a, err := models.In(b.Store).Alias(b.Ctx, "toy", "latest"); err != nil || a.Version != 2 {
		t.Errorf("a cached publish moved the alias to %d, %v", a.Version, err)
	}
}
