package train

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"pgregory.net/rapid"
)

// TestPacking: every text is in exactly one row that holds it, batches keep
// their bounds whatever the lengths, and shapes are those promised, in accumulation steps or not.
func TestPacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(2, 200), 1, 300).Draw(t, "lengths")
		others := rapid.SliceOfN(rapid.IntRange(2, 300), 0, 40).Draw(t, "others")
		o := Options{
			Epochs: rapid.IntRange(1, 200).Draw(t, "epochs"), MaxShapes: rapid.IntRange(1, 8).Draw(t, "shapes"),
			BatchSize: rapid.IntRange(1, 64).Draw(t, "size"), BatchTokens: rapid.IntRange(16, 4096).Draw(t, "tokens"),
		}
		parts := rapid.IntRange(1, 5).Draw(t, "parts")
		l := newPacking(lengths, others, o)
		if len(l.buckets) > o.MaxShapes {
			t.Fatalf("%d buckets", len(l.buckets))
		}
		held := func(b batch, s Shape, lengths []int, seen []bool) {
			if len(b.rows) > s.Rows || b.texts() > s.Texts || s.Texts > o.BatchSize {
				t.Fatalf("%d rows, %d texts in %+v", len(b.rows), b.texts(), s)
			}
			for _, row := range b.rows {
				n := 0
				for _, i := range row {
					if seen[i] {
						t.Fatalf("text %d comes twice", i)
					}
					seen[i] = true
					n += lengths[i]
				}
				if n > s.Length {
					t.Fatalf("%d tokens in a row of %d", n, s.Length)
				}
			}
		}
		for epoch := range uint64(2) {
			seen := make([]bool, len(lengths))
			for _, b := range l.epoch(rand.New(rand.NewPCG(epoch, 1))) {
				held(b, l.shapes(1)[b.bucket], lengths, slices.Clone(seen))
				if s := l.shapes(1)[b.bucket]; s.Rows > 1 && s.tokens() > o.BatchTokens {
					t.Fatalf("%+v has more than %d tokens", s, o.BatchTokens)
				}
				for _, part := range spread(b.rows, parts) {
					held(batch{b.bucket, part}, l.shapes(parts)[b.bucket], lengths, seen)
				}
			}
			if slices.Contains(seen, false) {
				t.Fatal("a text was lost")
			}
		}
		seen := make([]bool, len(others))
		for _, b := range l.batches(others, l.shapes(parts)) {
			held(b, l.shapes(parts)[b.bucket], others, seen)
		}
		if slices.Contains(seen, false) {
			t.Fatal("a text of the other set was lost")
		}
	})
}

// TestCountRows: the count by which shapes are chosen is what pack makes.
func TestCountRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(1, 64), 1, 200).Draw(t, "lengths")
		row := rapid.IntRange(64, 256).Draw(t, "row")
		count, members := make([]int, 65), make([]int, len(lengths))
		for i, n := range lengths {
			count[n]++
			members[i] = i
		}
		if got, want := countRows(count, 0, 64, row), len(pack(lengths, members, row, len(lengths), nil)); got != want {
			t.Fatalf("%d rows, pack makes %d", got, want)
		}
	})
}

// TestPadding holds the promise on lengths like those of headlines.
func TestPadding(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var lengths []int
	real := 0
	for range 700 {
		n := min(max(int(17+6*rng.NormFloat64()), 6), 40)
		lengths = append(lengths, n)
		real += n
	}
	o := Options{Epochs: 3, MaxShapes: 8, BatchSize: 32, BatchTokens: 4096}
	l := newPacking(lengths, nil, o)
	padded := 0
	for _, c := range l.buckets {
		padded += c.batches * c.shape.tokens()
	}
	if share := 1 - float64(real)/float64(padded); share > 0.08 {
		t.Errorf("%.1f %% is padding, shapes %v", 100*share, l.shapes(1))
	}
}

// TestPackedIsExact: texts that share a row do not see each other. Rows that
// hold one text each make the same steps up to rounding.
func TestPackedIsExact(t *testing.T) {
	e, d := tiny(t), xla(t)
	for _, pooling := range []string{bert.Mean, bert.Pooler} {
		o := options()
		o.Dropout, o.Epochs = 0, 2
		train := rows(16, 1) // one batch an epoch, whatever the packing
		packed := start(t, model(t, e, pooling), d, train, rows(8, 2), o)
		if s := packed.Shapes()[0]; s.Rows >= s.Texts {
			t.Fatalf("nothing is packed: %+v", s)
		}
		alone := start(t, model(t, e, pooling), d, train, rows(8, 2), o)
		for _, c := range alone.packing.buckets {
			c.most, c.shape = 1, Shape{16, 24, 16}
			alone.packing.buckets = []bucket{c}
		}
		alone.accumulate(1)
		alone.shuffle()
		_, a := fit(t, packed)
		_, b := fit(t, alone)
		if worst := far(a, b); worst > 1e-5 {
			t.Errorf("%s: losses %v packed, %v alone", pooling, a, b)
		}
	}
}
