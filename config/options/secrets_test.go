package options_test

import (
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/config/configtest"
	"github.com/sprint-ml/sprint/config/options"
)

// TestSecrets: every reference is found, wherever the struct has it.
func TestSecrets(t *testing.T) {
	type inner struct {
		Key string `yaml:"key" secret:"true"`
	}
	outer := struct {
		inner  `yaml:"-"`
		Near   inner    `yaml:"near"`
		Far    *inner   `yaml:"far"`
		Absent *inner   `yaml:"absent"`
		List   []string `yaml:"list" secret:"true"`
		Plain  string   `yaml:"plain"`
		Each   []inner  `yaml:"each"`
	}{Each: []inner{{"env:F"}, {"env:G"}}, Near: inner{"env:A"}, Far: &inner{"file:b"}, List: []string{"env:C"}, Plain: "env:NO"}
	got := append(options.Secrets(&outer), options.Secrets(&configtest.Sample{Token: "env:D", Secrets: map[string]string{"x": "env:E"}})...)
	if want := []string{"env:A", "file:b", "env:C", "env:F", "env:G", "env:D", "env:E"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
