package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/configtest"
	"github.com/sprint-ml/sprint/config/diagnostic"
)

// bombs are small files that cost a careless parser hours or gigabytes.
func bombs() map[string]string {
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	var stairs strings.Builder
	for i := range 600 {
		stairs.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return map[string]string{
		"laughs":    laughs.String(),
		"lists":     strings.Repeat("[", 100_000),
		"maps":      strings.Repeat("{a: ", 30_000),
		"dashes":    strings.Repeat("- ", 50_000),
		"questions": strings.Repeat("? ", 50_000),
		"itself":    "a: &a [*a]\n",
		"merge":     "a: &a {b: c}\nd:\n  <<: [*a, *a, *a]\n",
		"stairs":    stairs.String(),
		"deep":      configtest.PlanOf("labels: " + strings.Repeat("[", 200) + strings.Repeat("]", 200)),
		"colons":    strings.Repeat("a:", 50_000),
		"tags":      "name: !!binary " + strings.Repeat("QUFB", 10_000) + "\n",
		"documents": strings.Repeat("---\n", 20_000),
		"number":    "name: p\nstages: [{name: work, with: {seed: " + strings.Repeat("9", 50_000) + "}}]\n",
	}
}

// soonest is the shortest time of f of some, so that a busy machine is no failure; one below
// limit is enough.
func soonest(limit time.Duration, f func()) time.Duration {
	best := time.Hour
	for n := 0; n < 5 && best > limit; n++ {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// TestBombs: each is refused, and none hangs. The bound is generous because
// speed is measured in benchmarks; a parser that expands bombs takes minutes.
func TestBombs(t *testing.T) {
	for name, text := range bombs() {
		best := soonest(2*time.Second, func() {
			p, err := config.ParsePlan("plan.yaml", []byte(text))
			if p != nil && err == nil {
				var o *config.Options
				if o, err = config.NewOptions(p, config.Overrides{}); err == nil {
					_, err = o.Decode("work", &configtest.Sample{})
				}
			}
			var errs diagnostic.Errors
			if !errors.As(err, &errs) {
				t.Fatalf("%s: got %v, want Errors", name, err)
			}
			if n := len(err.Error()); n > 20_000 {
				t.Fatalf("%s: a message of %d bytes: %.1500s", name, n, err)
			}
		})
		if best > 2*time.Second {
			t.Errorf("%s took %v", name, best)
		}
		t.Logf("%-10s %7d bytes %v", name, len(text), best)
	}
}

// TestWrongFile: a file of the wrong sort, with a mistake in every line, gives
// a short answer soon.
func TestWrongFile(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: p\nstages:\n  - name: work\n    with:\n")
	for i := range 30_000 {
		fmt.Fprintf(&b, "      option_number_%d: 1\n", i)
	}
	took := soonest(5*time.Second, func() {
		p, err := config.ParsePlan("plan.yaml", []byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		o, err := config.NewOptions(p, config.Overrides{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.Decode("work", &configtest.Sample{})
		if err == nil || !strings.Contains(err.Error(), "and 29950 more mistakes") {
			t.Errorf("got %.300v", err)
		}
	})
	if took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	t.Logf("%d bytes took %v", b.Len(), took)
}

// TestLargeFile: a file over 1 MiB is refused without being read whole.
func TestLargeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.yaml")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(10 << 30); err != nil { // sparse
		t.Fatal(err)
	}
	allocated := testing.AllocsPerRun(1, func() { _, err = config.LoadPlan(path) })
	var errs diagnostic.Errors
	if !errors.As(err, &errs) || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("got %v", err)
	}
	if allocated > 100 {
		t.Errorf("%v allocations", allocated)
	}
	if _, err := config.ParsePlan("p", make([]byte, 1<<20+1)); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("from memory: %v", err)
	}
	if _, err := config.LoadPlan(t.TempDir()); !errors.As(err, &errs) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := config.LoadPlan("missing.yaml"); !errors.As(err, &errs) || !strings.Contains(err.Error(), "sprint init") {
		t.Errorf("a missing file: %v", err)
	}
	big := []byte(configtest.PlanOf("labels: {a: \"" + strings.Repeat("x", 500_000) + "\", b: 1}"))
	p, err := config.ParsePlan("p", big)
	if err != nil {
		t.Fatal(err)
	}
	o, err := config.NewOptions(p, config.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = o.Decode("work", &configtest.Sample{}); err == nil || len(err.Error()) > 1000 {
		t.Errorf("a line of 500 kB: %.300v", err)
	}
}
