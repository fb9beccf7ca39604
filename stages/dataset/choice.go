package dataset

import (
	"fmt"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Key is what of a taxonomy shapes labels and models. That a row has one label is keyed
// where it is so, which leaves the keys of all others as they were.
func Key(t *taxonomy.Taxonomy) stages.External {
	ext := stages.External{"categories": t.CategoriesKey()}
	if t.Single {
		ext["labels"] = "single"
	}
	return ext
}

// CheckChoice refuses a hand-labelled row that has several categories where the taxonomy
// says that a row has one.
func CheckChoice(t *taxonomy.Taxonomy, gold []rows.Row) error {
	if !t.Single {
		return nil
	}
	for i, r := range gold {
		first := -1
		for c, l := range r.Labels {
			switch {
			case l.Score <= 0:
			case first < 0:
				first = c
			default:
				return fmt.Errorf("row %d is both %s and %s, and the taxonomy says labels: single: %.120q", i+1, t.Categories[first].Name, t.Categories[c].Name, r.Title)
			}
		}
	}
	return nil
}
