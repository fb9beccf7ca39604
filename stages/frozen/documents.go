package frozen

import (
	"fmt"
	"log/slog"
	"math"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/heads"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/release"
)

// OnFolds is what calibration says of heads: they are measured on folds of all rows.
const OnFolds = "folds"

// document is what a release says of the fit.
func (f *Fit) document() *release.FittedHeads {
	a := &f.Answer
	out := &release.FittedHeads{Rows: len(f.Held), Labelled: f.Labelled, Agreement: metrics.Round(a.Agreement), Categories: a.Agreed, Alarm: f.alarm, RulesAlone: a.Alarm}
	if !a.Alarm {
		out.Bonus = a.Bonus
	}
	return out
}

// Tell says how the heads answer, and warns where they know too little.
func (f *Fit) Tell(env stages.Env, model *bert.Model) {
	a := &f.Answer
	env.Log.Info("fitted heads", "rows", len(f.Held), "labelled", f.Labelled, "agreement", metrics.Round(a.Agreement), "bonus", model.Spec.RulesBonus)
	var never []string
	for c, x := range a.Thresholds {
		if x > 1 {
			never = append(never, model.Spec.Categories[c].Name)
		}
	}
	switch {
	case a.Alarm:
		env.Log.Warn("the rules answer alone: held-out answers of the heads agree too little with them, so this encoder knows too little of the rows' language; name a better encoder",
			slog.Float64("agreement", metrics.Round(a.Agreement)), slog.Float64("alarm", f.alarm))
		never = nil
	case a.Agreed == 0:
		env.Log.Warn("too few labelled rows to say how well the heads agree with the labels", slog.Int("needed_per_category", heads.MinAgreement))
	}
	if len(never) > 0 {
		env.Log.Warn("held-out answers of the heads agree with too few labels of these categories: rules alone answer for them", slog.Any("categories", never))
	}
	env.Note("heads", f.document())
	if curve := f.curve(); len(curve) > 1 {
		env.Note(NoteCurve, curve)
		env.Log.Info("labelled rows against macro-F1", "curve", curve)
	}
}

// NoteCurve is the note of what labels bring: CurvePoints.
const NoteCurve = "label_curve"

// CurvePoint is how heads that so many labelled rows taught answer for others.
type CurvePoint struct {
	Rows    int     `json:"rows"`
	MacroF1 float64 `json:"macro_f1"`
}

// String is what a log shows.
func (p CurvePoint) String() string { return fmt.Sprintf("%d:%.3f", p.Rows, p.MacroF1) }

// curve are the points of which something is known.
func (f *Fit) curve() []CurvePoint {
	var out []CurvePoint
	for _, p := range f.Curve {
		if p.Outputs > 0 {
			out = append(out, CurvePoint{p.Rows, metrics.Round(p.MacroF1)})
		}
	}
	return out
}

// Calibration says on what temperature and thresholds were fitted.
func (f *Fit) Calibration(model *bert.Model) *release.Calibration {
	out := &release.Calibration{Temperature: "none", Categories: map[string]release.Calibrated{}, Heads: f.document(), Gold: []release.GoldRow{}}
	if model.Spec.Single {
		out.Temperature = "one"
		out.Choice = &release.CalibratedChoice{
			Temperature: f.Answer.Temperature, On: OnFolds, Rows: f.Labelled, Fired: 1, LogLoss: [2]float64{metrics.Round(f.UntemperedLoss), metrics.Round(f.HeldLoss)},
		}
		return out
	}
	for c, category := range model.Spec.Categories {
		var probability []float32
		var positive []bool
		var truths []metrics.Truth
		positives := 0
		for i, p := range f.Held {
			if !f.Known[c][i] {
				continue
			}
			x := f.Truth[c][i]
			probability, positive, truths = append(probability, (p.Scores[c]+1)/2), append(positive, x), append(truths, metrics.Truth{Positive: []bool{x}})
			if x {
				positives++
			}
		}
		loss := metrics.Round(metrics.LogLoss(probability, positive, 1))
		off := metrics.Calibrate(truths, 0, func(row int) float64 { return float64(probability[row]) }).ECE
		out.Categories[category.Name] = release.Calibrated{
			Threshold: math.Min(f.Answer.Thresholds[c], 1), Temperature: 1, On: OnFolds, Rows: len(positive), Positives: positives,
			LogLoss: [2]float64{loss, loss}, Error: [2]float64{off, off},
		}
	}
	return out
}

// Thresholds are the scores from which on a category is answered, by name.
func (f *Fit) Thresholds(model *bert.Model) map[string]float64 {
	out := map[string]float64{}
	for c, x := range f.Answer.Thresholds {
		name := model.Spec.Categories[c].Name
		out[name] = math.Min(x, 1)
		if _, decided := model.Spec.RulesBeside[name]; decided || model.Spec.RulesAlone {
			out[name] = classify.RuleThreshold
		}
	}
	return out
}
