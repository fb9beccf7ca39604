package train

import (
	"context"
	"math"
	"time"

	fit "github.com/sprint-ml/sprint/ml/train"
	"github.com/sprint-ml/sprint/stages"
)

// endEpoch measures on val, keeps the best weights and decides to go on.
func (l *loop) endEpoch(ctx context.Context) error {
	began := time.Now()
	e, err := l.trainer.Validate(ctx)
	l.validating = time.Since(began)
	if err != nil {
		return err
	}
	if math.IsNaN(e.Loss) || math.IsInf(e.Loss, 0) {
		return l.explain(&fit.NonFiniteError{Step: l.trainer.StepsDone(), Epoch: l.trainer.Epoch() + 1, Loss: e.Loss})
	}
	x := Epoch{Epoch: l.trainer.Epoch() + 1, TrainLoss: l.trainer.TrainLoss(), ValLoss: e.Loss, Steps: l.trainer.StepsDone(), Heads: l.heads(e)}
	x.ValMacroF1 = macro(x.Heads)
	if l.best == nil || l.gained(x) {
		l.state.CountedLoss, l.state.SinceGain = x.ValLoss, 0
	} else {
		l.state.SinceGain++
	}
	if x.Best = l.best == nil || l.better(x); x.Best {
		if l.best, err = l.trainer.Weights(); err != nil {
			return err
		}
		l.state.BestLoss, l.state.BestF1, l.state.BestSteps, l.state.Scores = x.ValLoss, x.ValMacroF1, l.trainer.StepsDone(), e.Scores
	}
	l.state.History = append(l.state.History, x)
	l.env.Log.Log(ctx, stages.LevelNotable, "measured", "epoch", x.Epoch, "train_loss", round(x.TrainLoss), "val_loss", round(x.ValLoss), "val_macro_f1", round(x.ValMacroF1))
	l.trainer.NextEpoch()
	if l.o.Patience > 0 && l.state.SinceGain >= l.o.Patience && !l.trainer.Done() {
		l.state.Stopped = true
		l.env.Log.Log(ctx, stages.LevelNotable, "stopped early", "epoch", x.Epoch, "best_val_loss", round(l.state.BestLoss), "best_val_macro_f1", round(l.state.BestF1))
	}
	return nil
}

// better says whether an epoch beats the best one so far.
func (l *loop) better(x Epoch) bool {
	if l.last {
		return true
	}
	if l.o.BestBy == "macro_f1" && x.ValMacroF1 != l.state.BestF1 {
		return x.ValMacroF1 > l.state.BestF1
	}
	return x.ValLoss < l.state.BestLoss
}

// gained says whether an epoch is better by so much that training goes on for it. A loss
// that falls by less in each epoch for ever would end no training.
func (l *loop) gained(x Epoch) bool {
	if l.o.BestBy == "macro_f1" && x.ValMacroF1 != l.state.BestF1 {
		return x.ValMacroF1 > l.state.BestF1
	}
	return x.ValLoss < l.state.CountedLoss-l.o.MinGain
}

func round(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// heads measures every category.
func (l *loop) heads(e *fit.Evaluation) []Head {
	answers := make([][]bool, len(e.Scores))
	for i, s := range e.Scores {
		answers[i] = l.answer(s)
	}
	out := measure(l.names, &l.truth, answers, e.Tags)
	for c := range out {
		out[c].ScoreLoss, out[c].TagLoss = e.Heads[c].Score, e.Heads[c].Tag
	}
	return out
}

// measure compares answers with the truth, by category. tags may be nil: then they are not
// measured.
func measure(names []string, truth *truth, answers [][]bool, said [][]int32) []Head {
	out := make([]Head, len(names))
	for c, name := range names {
		h := Head{Category: name}
		tp, fp, tags := 0, 0, 0
		for i := range answers {
			if !truth.known[c][i] {
				continue
			}
			positive := truth.positive[c][i]
			if positive {
				h.Support++
				if said != nil && truth.tag[c][i] > 0 {
					h.TagSupport++
					if said[i][c] == truth.tag[c][i] {
						tags++
					}
				}
			}
			switch {
			case !answers[i][c]:
			case positive:
				tp++
			default:
				fp++
			}
		}
		share := func(a, b int) float64 { return float64(a) / math.Max(float64(b), 1) }
		h.Precision, h.Recall, h.F1 = share(tp, tp+fp), share(tp, h.Support), share(2*tp, tp+fp+h.Support)
		h.TagAccuracy = share(tags, h.TagSupport)
		out[c] = h
	}
	return out
}

// answer is what scores of the network say of every category: that it is over 0.5, or
// in a single model that it is the likeliest.
func (l *loop) answer(scores []float32) []bool {
	out := make([]bool, len(l.names))
	if l.t.Single {
		best := 0
		for c, x := range scores {
			if x > scores[best] {
				best = c
			}
		}
		if best < len(out) {
			out[best] = true
		}
		return out
	}
	for c := range out {
		out[c] = scores[c] >= 0.5
	}
	return out
}

// macro is the mean F1 over categories with a positive in val.
func macro(heads []Head) float64 {
	sum, n := 0.0, 0
	for _, h := range heads {
		if h.Support > 0 {
			sum += h.F1
			n++
		}
	}
	return sum / math.Max(float64(n), 1)
}
