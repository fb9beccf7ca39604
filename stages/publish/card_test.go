package publish

import (
	"strings"
	"testing"
)

// TestCardOfOneLabel: the card of a model of one label per row says so, its accuracy and
// what it takes for what.
func TestCardOfOneLabel(t *testing.T) {
	const metrics = `{"labels":"single","test":{"rows":4,"accuracy":0.75,"per_category":{"fire":{"f1":0.5}}},
		"details":{"test":{"choice":{"categories":["fire",""],"confusion":[[2,1],[0,1]],"calibration":{"ece":0.034},"calibration_with_category":{"ece":0.012,"rows":3}}}}}`
	got := card(&Options{Name: "news"}, facts{metrics: []byte(metrics), thresholds: []byte("{}")})
	for _, want := range []string{"single-label", "one category or none", "accuracy 0.750", "| fire | none |", "| fire | 2 | 1 |", "| none | 0 | 1 |", "off by 0.034 on average (expected calibration error), by 0.012 on the 3 rows that have a category."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "Thresholds") {
		t.Error("a model without thresholds names some")
	}
	if several := card(&Options{Name: "news"}, facts{metrics: []byte(`{"test":{"rows":4,"per_category":{}}}`), thresholds: []byte("{}")}); !strings.Contains(several, "multi-label") || strings.Contains(several, "accuracy") {
		t.Errorf("of several labels:\n%s", several)
	}
}

// TestCardTellsOfTheRun: a card has the plan's words and a text of the run, which a shell
// and Python read as it is, and no macro-F1 where no category has enough rows.
func TestCardTellsOfTheRun(t *testing.T) {
	metrics := []byte(`{"gold":{"rows":9,"macro_f1":0,"micro_f1":0.5,"per_category":{"fire":{"f1":0.5,"support":7}}},"test":{"rows":9,"macro_f1":0.25,"per_category":{"fire":{"support":8}}}}`)
	got := card(&Options{Name: "tickets", Description: "Sorts tickets\n  of our desk."}, facts{example: workedExample{text: `It's "down"`, labels: []string{"desk/printer"}}, metrics: metrics, thresholds: []byte("{}")})
	for _, want := range []string{
		"# tickets\n\nSorts tickets of our desk.\n\nClassifies texts: ", "macro F1 n/a (fewer than 8 rows a category), micro F1 0.500", "macro F1 0.250",
		`sprint classify --model tickets 'It'\''s "down"'` + "\n", `print(model.answer("It's \"down\""))`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "news") || strings.Contains(got, "eadline") {
		t.Errorf("tickets are no news:\n%s", got)
	}
}

// TestCardOfReading: a card names the prompt that its encoder wants, and what a smaller
// vocabulary costs; a model without either says nothing of them.
func TestCardOfReading(t *testing.T) {
	about := facts{
		config:     []byte(`{"sprint":{"prompt":"query: "}}`),
		vocabulary: []byte(`{"before":{"ids":250002,"bytes":487000000},"after":{"ids":20000,"bytes":120500000},"held_out":{"rows":200,"rows_changed":50,"tokens":4000,"tokens_gone":60}}`),
	}
	got := card(&Options{Name: "news"}, about)
	for _, want := range []string{`the prompt "query: "`, "20000 of the encoder's 250002 pieces", "120.5 MB in place of 487.0", "Of 200 other texts", "25.0 % have a piece", "1.5 % of their tokens"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	for _, about := range []facts{{}, {config: []byte(`{"sprint":{}}`), vocabulary: []byte(`{"before":{"ids":7},"after":{"ids":7}}`)}, {config: []byte("x"), vocabulary: []byte("[]")}} {
		if got := card(&Options{Name: "news"}, about); strings.Contains(got, "prompt") || strings.Contains(got, "pieces") {
			t.Errorf("of %s:\n%s", about.config, got)
		}
	}
}

// TestCardIsText: whatever a plan, a row or a taxonomy says is text in a card: no link, no
// element, no table of its own, and no line of the head.
func TestCardIsText(t *testing.T) {
	hostile := "<script>x</script> [a](https://evil.example) ![b](c) | `d` \n---\n# e www.evil.example\u202e"
	got := card(&Options{Name: "news", Description: hostile, License: "mit", Language: "sv"}, facts{
		example: workedExample{text: "it's $(x)", labels: []string{hostile}},
		metrics: []byte(`{"test":{"rows":9,"ci":{"level":0.95,"micro_f1":[0.1,0.2]},"micro_f1":0.15,"per_category":{"a|b <i>":{"support":9,"f1":0.5,"ci":{"f1":[0.25,0.75]}},"few":{"support":7}}}}`),
	})
	for _, bad := range []string{"<script", "<i>", "](", "https://", "www.", "\u202e", "\n# e", "| a|b"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q in:\n%s", bad, got)
		}
	}
	for _, want := range []string{"license: \"mit\"\nlanguage: [\"sv\"]\n", "micro F1 0.150 (0.100 to 0.200); in brackets intervals of 95 %", "0.500 (0.250 to 0.750) | 9 |", "| few | n/a (fewer than 8 rows)"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n---\n"); n != 1 {
		t.Errorf("%d ends of the head in:\n%s", n, got)
	}
	for _, o := range []Options{{Name: "a", Alias: "b", License: "mit\nx: y"}, {Name: "a", Alias: "b", Language: "Swedish"}} {
		if len(o.Check()) != 1 {
			t.Errorf("%+v is taken", o)
		}
	}
}
