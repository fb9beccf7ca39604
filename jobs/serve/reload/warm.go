package reload

import (
	"context"
	"fmt"
	"strings"

	"github.com/sprint-ml/sprint/ml/classify"
)

// warmLengths are words of the texts that a model is warmed with: a model has a program
// for each of some lengths, compiled when it is first needed.
var warmLengths = []int{4, 20, 45, 100, 200, 400}

// warmTexts is how many texts of a length a warming batch has.
const warmTexts = 33

// warm asks a model of each length, alone and in a batch, so that no client waits for what
// is made when it is first needed, and refuses one that cannot answer.
func warm(ctx context.Context, c *classify.Classifier) error {
	if c.Model == nil {
		return nil
	}
	longest := 0
	for _, words := range warmLengths {
		text := classify.Text{Title: strings.TrimSpace(strings.Repeat("news ", words))}
		if counts, ok := c.Model.(interface{ Tokens(classify.Text) int }); ok {
			n := counts.Tokens(text)
			if n == longest {
				break // longer ones are cut to the same
			}
			longest = n
		}
		batch := make([]classify.Text, warmTexts)
		for i := range batch {
			batch[i] = text
		}
		for _, texts := range [][]classify.Text{batch[:1], batch[:2], batch} {
			answers, err := c.Classify(ctx, texts, false)
			if err != nil {
				return fmt.Errorf("its first answers fail: %w", err)
			}
			for _, a := range answers {
				if a.Problem != "" {
					return fmt.Errorf("its first answers are none: %s", a.Problem)
				}
			}
		}
	}
	return nil
}
