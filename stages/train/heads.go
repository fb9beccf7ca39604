package train

import (
	"context"
	"errors"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/heads"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/embeddings"
	"github.com/sprint-ml/sprint/stages/frozen"
	"github.com/sprint-ml/sprint/stages/rows"
)

// runHeads embeds the rows of train and val, fits heads on their vectors and writes what
// train writes. val trains too, since folds measure in its place.
func (s *stage) runHeads(ctx context.Context, began time.Time, t *taxonomy.Taxonomy, dev *device.Device, in stages.Inputs, out stages.Outputs) error {
	set, err := dataset.ReadLabelled(ctx, in, "train", t)
	if err != nil {
		return err
	}
	val, err := dataset.ReadLabelled(ctx, in, "val", t)
	if err != nil {
		return err
	}
	set = append(set, val...)
	labelled, classes := frozen.Classes(set, s.o.MaskAbstain)
	if labelled > 0 && !classes {
		return oneClass(labelled)
	}
	model, err := s.model(ctx, t, s.o.hasNone(t, set))
	if err != nil {
		return err
	}
	if s.o.DType == "fp16" { // before the heads are fitted, so that they fit what is kept
		if err := model.Halve(); err != nil {
			return stages.Fail(stages.CodeStage, "set dtype: fp32", "%w", err)
		}
	}
	if err := s.checkDevice(ctx, model, dev); err != nil {
		return err
	}
	f, err := s.fitHeads(ctx, t, model, dev, set)
	if err != nil && ctx.Err() != nil {
		return stages.ErrInterrupted
	}
	if err != nil {
		return err
	}
	if err := f.Apply(model); err != nil {
		return err
	}
	f.Tell(s.env, model)
	if s.o.Method == methodBoth {
		return s.tuneHeads(ctx, out, fitted{t: t, dev: dev, model: model, set: set, val: val, fit: f, began: began})
	}
	history := []Epoch{s.headsEpoch(t, set, f)}
	return s.write(ctx, out, model, history, f.Calibration(model), f.Thresholds(model))
}

// fitHeads embeds rows and fits heads on their vectors.
func (s *stage) fitHeads(ctx context.Context, t *taxonomy.Taxonomy, model *bert.Model, dev *device.Device, set []rows.Row) (*frozen.Fit, error) {
	e, err := embeddings.Open(s.env, model, dev)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	vectors, err := e.Embed(ctx, bert.EncodeTexts(model, set, func(r rows.Row) (string, string) { return r.Title, r.Description }))
	if err != nil {
		return nil, err
	}
	f, err := frozen.Train(ctx, &frozen.Set{Taxonomy: t, Rows: set, Vectors: vectors, None: model.Spec.None, MaskAbstain: s.o.MaskAbstain, HandWeight: s.o.HandWeight, Seed: s.o.Seed}, s.o.Heads)
	if errors.Is(err, heads.ErrNoLabels) {
		return nil, noLabels()
	}
	return f, err
}

// headsEpoch is the history of a fit of heads, which has one line: held-out answers in the
// place of val.
func (s *stage) headsEpoch(t *taxonomy.Taxonomy, set []rows.Row, f *frozen.Fit) Epoch {
	truth := truth{known: f.Known, positive: f.Truth}
	answers := make([][]bool, len(set))
	for i := range set {
		answers[i] = make([]bool, len(t.Categories))
		top := -1
		if t.Single {
			top, _ = f.Held[i].Top()
		}
		for c, x := range f.Held[i].Scores {
			answers[i][c] = c == top || !t.Single && float64(x) >= f.Answer.Thresholds[c]
		}
	}
	e := Epoch{Epoch: 1, TrainLoss: f.Loss, ValLoss: f.HeldLoss, Steps: 1, Best: true, Heads: measure(t.Names(), &truth, answers, nil)}
	if t.Single {
		e.Steps += s.o.Heads.Rounds
	}
	e.ValMacroF1 = macro(e.Heads)
	s.env.Log.Info("held-out answers against the labels", "macro_f1", round(e.ValMacroF1), "loss", round(e.ValLoss))
	return e
}
