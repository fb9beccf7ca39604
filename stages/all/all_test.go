package all_test

import (
	"testing"

	"github.com/sprint-ml/sprint/stages/all"
)

func TestAll(t *testing.T) {
	r := all.All()
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	for _, k := range r {
		if k.Doc == "" || k.Example == "" {
			t.Errorf("kind %s has no doc or example", k.Name)
		}
	}
}
