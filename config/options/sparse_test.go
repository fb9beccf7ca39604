package options_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/configtest"
)

// TestSparse: an option with key:"set" is in the key where it is not its default, and
// nowhere else, so that a kind may get one and the keys of old plans stay.
func TestSparse(t *testing.T) {
	type inner struct {
		Words map[string]string `yaml:"words" key:"set"`
		Mark  string            `yaml:"mark" default:";" key:"set"`
	}
	type sample struct {
		Epochs int      `yaml:"epochs" default:"3"`
		Weight float64  `yaml:"weight" default:"1" key:"set"`
		Names  []string `yaml:"names" default:"[a]" key:"set"`
		Note   string   `yaml:"note" key:"set"`
		Inner  inner    `yaml:"inner" key:"set"`
	}
	for with, want := range map[string]map[string]any{
		"{}": {}, "weight: 1.0\nnames: a\nnote: ''": {}, "inner: {}": {}, "inner: {mark: ';', words: {}}": {},
		"weight: 2":              {"weight": 2.0},
		"names: [a, b]":          {"names": []any{"a", "b"}},
		"note: x":                {"note": "x"},
		"inner: {mark: ','}":     {"inner": map[string]any{"mark": ","}},
		"inner: {words: {a: b}}": {"inner": map[string]any{"words": map[string]any{"a": "b"}}},
	} {
		var s sample
		d, err := configtest.Options(t, configtest.PlanOf(with), config.Overrides{}).Decode("work", &s)
		if err != nil {
			t.Fatalf("%s: %v", with, err)
		}
		if s.Weight == 0 || s.Inner.Mark == "" {
			t.Errorf("%s: a default is lost: %+v", with, s)
		}
		want["epochs"] = 3.0
		if diff := cmp.Diff(want, d.Keyed); diff != "" {
			t.Errorf("%s:\n%s", with, diff)
		}
	}
}
