package train

import (
	"math"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
)

// TestFrozenCache: with the frozen layers' output computed once, the fit
// is the same as with computing it in every step.
func TestFrozenCache(t *testing.T) {
	e, d := tiny(t), xla(t)
	for _, freeze := range []func(*Options){func(o *Options) { o.FreezeLayers = 1 }, func(o *Options) { o.FreezeEmbed = true }} {
		o := options()
		freeze(&o)
		o.AltProb = 0.5
		train := rows(32, 1)
		for i := range train {
			train[i].Alt = append([]int32{2, 4}, train[i].IDs[2:]...)
			train[i].AltTypes = make([]int32, len(train[i].Alt))
		}
		kept := start(t, model(t, e, bert.Mean), d, train, rows(8, 2), o)
		if kept.cache == nil {
			t.Fatal("nothing is kept")
		}
		again, err := New(model(t, e, bert.Mean), d, train, rows(8, 2), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(again.Close)
		_, a := fit(t, kept)
		_, b := fit(t, again)
		if worst := far(a, b); worst > 1e-4 {
			t.Errorf("losses differ by %v", worst)
		}
		x, err := kept.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		y, err := again.Validate(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(x.Loss-y.Loss) > 1e-4*y.Loss {
			t.Errorf("validation losses %v and %v", x.Loss, y.Loss)
		}
	}
}
