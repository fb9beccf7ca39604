package train

import (
	"math"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
)

// TestModernBERTFrozenLayers: what ModernBERT's upper layers make of the kept output of its lower
// ones, where positions stand in no input any more, is what the whole network makes.
func TestModernBERTFrozenLayers(t *testing.T) {
	d, err := device.Open(t.Context(), device.Go, device.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, pooling := range []string{bert.Mean, bert.CLS} {
		c := parityCase{name: pooling, folder: func(t testing.TB) string { return encodertest.ModernBERT(t, "") }, pooling: pooling, o: parityCases()[0].o}
		m := c.model(t)
		set := examples(parityExamples(parityTexts(m, 40), 60), false)
		losses := map[int]float64{}
		for _, frozen := range []int{0, 2, 4} {
			o := c.o
			o.MaxShapes, o.BatchSize = 1, 8
			o.FreezeLayers = frozen
			tr, err := New(m, d, set, nil, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.Compile(t.Context(), func(int, int) {}); err != nil {
				t.Fatal(err)
			}
			if (tr.cache != nil) != (frozen > 0) {
				t.Errorf("%s, %d layers frozen: kept %v", pooling, frozen, tr.cache != nil)
			}
			several := false
			for _, row := range tr.order[tr.cursor].rows {
				several = several || len(row) > 1
			}
			if !several {
				t.Error("no row holds two texts: nothing is tried")
			}
			if losses[frozen], _, err = tr.Step(); err != nil {
				t.Fatal(err)
			}
			tr.Close()
			if off := math.Abs(losses[frozen] - losses[0]); !(off <= 1e-5) {
				t.Errorf("%s, %d layers frozen: the first loss is %g, %g without", pooling, frozen, losses[frozen], losses[0])
			}
		}
	}
}
