package configtest

import (
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/options"
)

// PlanOf wraps options of one stage, work, into a plan.
func PlanOf(with string) string {
	return "name: p\nstages:\n  - name: work\n    with:\n" + indent(with, "      ")
}

func indent(s, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n"+by) + "\n"
}

// Options merges the options of a plan that stands at dir/plan.yaml.
func Options(t testing.TB, plan string, o config.Overrides) *config.Options {
	t.Helper()
	p, err := config.ParsePlan("dir/plan.yaml", []byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.NewOptions(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Decode decodes the options of PlanOf's stage.
func Decode(t testing.TB, with string, o config.Overrides) (*Sample, options.Decoded) {
	t.Helper()
	var s Sample
	d, err := Options(t, PlanOf(with), o).Decode("work", &s)
	if err != nil {
		t.Fatal(err)
	}
	return &s, d
}
