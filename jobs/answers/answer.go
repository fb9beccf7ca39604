package answers

import (
	"context"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Answer is the answer about a row.
type Answer struct {
	ID  string `json:"id,omitempty"`
	URL string `json:"url,omitempty"`
	classify.Answer
}

// BadRow stands in the place of a row that could not be classified.
type BadRow struct {
	ID    string `json:"id,omitempty"`
	URL   string `json:"url,omitempty"`
	Error string `json:"error"`
}

// batchSize bounds memory for long inputs.
const batchSize = 1024

// Write answers about rows in their order, and counts those that could not be
// classified.
func Write(ctx context.Context, c *classify.Classifier, table []rows.Row, all bool, w Sink) (bad int, err error) {
	for len(table) > 0 {
		chunk := table[:min(batchSize, len(table))]
		table = table[len(chunk):]
		var texts []classify.Text
		for _, r := range chunk {
			if r.Problem == "" {
				texts = append(texts, classify.Text{Title: r.Title, Description: r.Description})
			}
		}
		answers, err := c.Classify(ctx, texts, all)
		if err != nil {
			return bad, resources.Computed(err)
		}
		for _, r := range chunk {
			problem, found := r.Problem, (*classify.Answer)(nil)
			if problem == "" {
				found, answers = &answers[0], answers[1:]
				problem = found.Problem
			}
			if problem != "" {
				bad++
				found = nil
			}
			err = w.Answer(r, found, problem)
			if err != nil {
				return bad, err
			}
		}
	}
	return bad, nil
}
