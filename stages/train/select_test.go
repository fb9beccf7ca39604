package train

import (
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/encoder"
	"github.com/sprint-ml/sprint/ml/encoder/encodertest"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/rows"
)

// telling makes rows whose words tell what they are about: crime if the words
// are of the first half of the alphabet.
func telling(n int, rng *rand.Rand) (set []rows.Row, crime []bool) {
	for range n {
		is := rng.IntN(2) == 0
		from := 13
		if is {
			from = 0
		}
		var words []string
		for range 8 {
			words = append(words, "wa"+string(rune('a'+from+rng.IntN(13))))
		}
		r := rows.Row{Labels: []rows.Label{{}, {Abstain: true}}}
		if is {
			words = append(words, "wba")
			r.Labels[0] = rows.Label{Score: 0.7, Tag: "theft"}
		}
		r.Title = strings.Join(words, " ")
		set, crime = append(set, r), append(crime, is)
	}
	return set, crime
}

// TestSelect: labels that the other rows' words contradict are dropped or turned
// round, undecided rows get the label of their like, right ones stay as they
// are, and a rule's own word is no argument.
func TestSelect(t *testing.T) {
	ctx := t.Context()
	dir := encodertest.Tiny(t)
	e, err := encoder.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	tax, err := dataset.Taxonomy(taxonomyFile)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bert.FromEncoder(e, bert.Spec{Pooling: bert.Mean, HeadHidden: 8, MaxLength: 24, Text: []string{"title"}, Categories: []bert.Category{{Name: "crime", Tags: tax.Categories[0].Tags}, {Name: "sports", Tags: tax.Categories[1].Tags}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	d, err := device.Open(ctx, device.Go, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	notes := map[string]any{}
	s := &stage{o: options(dir), env: stages.Env{Log: slog.New(slog.DiscardHandler), Progress: func(stages.Progress) {}, Note: func(name string, v any) { notes[name] = v }}}
	s.o.Select = Select{Rounds: 2, Folds: 5, Confidence: 0.8}
	set, crime := telling(400, rand.New(rand.NewPCG(2, 3)))
	for i := range 40 { // wrong
		if crime[i] {
			set[i].Labels[0] = rows.Label{}
		} else {
			set[i].Labels[0] = rows.Label{Score: 0.7, Tag: "theft"}
			set[i].Title += " wba"
		}
	}
	for i := 40; i < 100; i++ { // undecided
		set[i].Labels[0] = rows.Label{Abstain: true}
	}
	got, err := s.selectLabels(ctx, tax, m, d, set)
	if err != nil {
		t.Fatal(err)
	}
	mended, decided, lost := 0, 0, 0
	for i, r := range got {
		l := r.Labels[0]
		right := !l.Abstain && (l.Score > 0) == crime[i]
		switch {
		case i < 40 && (l.Abstain || right):
			mended++
		case i >= 40 && i < 100 && right:
			decided++
		case i >= 100 && l != set[i].Labels[0]:
			lost++
		}
		if r.Labels[1] != set[i].Labels[1] {
			t.Fatalf("a category that cannot be judged is changed: %+v", r)
		}
	}
	if mended < 30 || decided < 40 || lost > 30 {
		t.Errorf("%d of 40 wrong labels mended, %d of 60 decided, %d of 300 right ones changed; %v", mended, decided, lost, notes)
	}
	if n := notes["select_round_1"].(map[string]Selected); !n["sports"].Unjudged || n["crime"].Imputed == 0 {
		t.Errorf("%+v", n)
	}
	again, err := s.selectLabels(ctx, tax, m, d, set)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].Labels[0] != again[i].Labels[0] {
			t.Fatal("a second selection differs")
		}
	}
}
