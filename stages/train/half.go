package train

import (
	"context"
	"math"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// halve rounds the model to fp16 where the plan keeps it so, and says how far the scores of val
// moved. Thresholds are those of the scores before; verify measures what is kept.
func (l *loop) halve(ctx context.Context, model *bert.Model) error {
	if l.o.DType != "fp16" {
		return nil
	}
	texts := bert.EncodeTexts(model, l.val, func(r rows.Row) (title, description string) { return r.Title, r.Description })
	before, err := l.predict(ctx, model, texts)
	if err != nil {
		return err
	}
	if err := model.Halve(); err != nil {
		return stages.Fail(stages.CodeStage, "set dtype: fp32", "%w", err)
	}
	after, err := l.predict(ctx, model, texts)
	if err != nil {
		return err
	}
	most := moved(before, after)
	l.env.Log.InfoContext(ctx, "weights are kept as fp16", "scores_moved_at_most", most)
	return nil
}

// moved is the largest difference of two scores of one text.
func moved(before, after []bert.Prediction) float64 {
	most := 0.
	for i := range before {
		for k, s := range before[i].Scores {
			most = max(most, math.Abs(float64(s)-float64(after[i].Scores[k])))
		}
	}
	return most
}
