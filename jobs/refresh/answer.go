package refresh

import (
	"context"
	"fmt"

	"github.com/sprint-ml/sprint/jobs/answers"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/storage/models"
)

// Answers are what a release says of rows. Both are by row, then by category.
type Answers struct {
	Categories []string
	Positive   [][]bool    // over its threshold, or the one label of the row
	Score      [][]float64 // its probability where it has one, else its score
}

// part are the answers about rows from one to another.
func (a *Answers) part(from, to int) *Answers {
	return &Answers{Categories: a.Categories, Positive: a.Positive[from:to], Score: a.Score[from:to]}
}

// Models answers with the releases of a store. Options say where; their Ref is not used.
type Models struct{ Options answers.Options }

// batch is how many rows are answered at once.
const batch = 4096

// Answer implements Answerer. The model itself answers, never the keywords in its place.
func (m Models) Answer(ctx context.Context, r models.Release, of []rows.Row) (*Answers, error) {
	o := m.Options
	o.Ref, o.Release, o.Strict = fmt.Sprintf("%s@%d", r.Name, r.Version), &r, true
	c, _, done, err := answers.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer done()
	out := &Answers{Categories: c.Taxonomy.Names()}
	for from := 0; from < len(of); from += batch {
		if err := answer(ctx, c, of[from:min(from+batch, len(of))], out); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Ref, err)
		}
	}
	return out, nil
}

func answer(ctx context.Context, c *classify.Classifier, of []rows.Row, out *Answers) error {
	texts := make([]classify.Text, len(of))
	for i, r := range of {
		texts[i] = classify.Text{Title: r.Title, Description: r.Description, Language: r.Language}
	}
	predictions, err := c.Model.Predict(ctx, texts)
	if err != nil {
		return resources.Computed(err)
	}
	all, over := c.Answers(predictions, classify.View{All: true}), c.Answers(predictions, classify.View{})
	for i, a := range all {
		if a.Problem != "" {
			return stages.Fail(stages.CodeIntegrity, "promote another version", "about %.80q: %s", of[i].Title, a.Problem)
		}
		positive, score := make([]bool, len(out.Categories)), make([]float64, len(out.Categories))
		for k, name := range out.Categories {
			_, positive[k] = over[i].Categories[name]
			s := a.Categories[name]
			if score[k] = s.Score; s.Probability != nil {
				score[k] = *s.Probability
			}
		}
		out.Positive, out.Score = append(out.Positive, positive), append(out.Score, score)
	}
	return nil
}
