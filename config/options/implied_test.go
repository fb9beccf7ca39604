package options_test

import (
	"testing"

	"github.com/sprint-ml/sprint/config"
	"github.com/sprint-ml/sprint/config/configtest"
)

// TestImplied: an option that is left out is what a written neighbour needs it to be, in
// the key too, and a layer that says another thing wins over the plan's neighbours.
func TestImplied(t *testing.T) {
	type sample struct {
		Method string  `yaml:"method" default:"both" implied:"true" enum:"both|heads|finetune" key:"set"`
		Epochs int     `yaml:"epochs" when:"method=finetune" default:"3"`
		Clip   float64 `yaml:"clip" when:"method=both,finetune" default:"1"`
		Rounds int     `yaml:"rounds" when:"method=both,heads" default:"2"`
	}
	for _, c := range []struct {
		with string
		set  []string
		want string
		ok   bool
	}{
		{"{}", nil, "both", true},
		{"clip: 2", nil, "both", true},
		{"epochs: 2", nil, "finetune", true},
		{"epochs: 2\nmethod: finetune", nil, "finetune", true},
		{"{}", []string{"work.epochs=2"}, "finetune", true},
		{"epochs: 2", []string{"work.epochs="}, "both", true},
		{"epochs: 2", []string{"work.method=heads"}, "heads", true},
		{"epochs: 2\nmethod: heads", nil, "", false},
		{"epochs: 2\nrounds: 2", nil, "", false},
	} {
		var s sample
		d, err := configtest.Options(t, configtest.PlanOf(c.with), config.Overrides{Set: c.set}).Decode("work", &s)
		if (err == nil) != c.ok || c.ok && s.Method != c.want {
			t.Errorf("%q with %q: method %q, %v", c.with, c.set, s.Method, err)
		}
		keyed, in := d.Keyed["method"]
		if c.ok && (in != (c.want != "both") || in && keyed != c.want) {
			t.Errorf("%q with %q: keyed as %v", c.with, c.set, d.Keyed)
		}
	}
}
