package train

import (
	"context"
	"log/slog"
	"math"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
)

// checkSingle refuses options that mean nothing where a row has one label.
func (o *Options) checkSingle(t *taxonomy.Taxonomy) error {
	if !t.Single {
		return nil
	}
	var what string
	switch {
	case o.Calibrate.Temperature == "category":
		what = "calibrate.temperature: one softmax has one temperature, not one for each category"
	case o.Select.Rounds > 0:
		what = "select.rounds: labels are judged category by category"
	default:
		return nil
	}
	return stages.Fail(stages.CodePlan, "leave the option out, or `labels: single` of the taxonomy", "%s; the taxonomy says labels: single", what)
}

// hasNone reports whether rows teach what a text of no category looks like.
func (o *Options) hasNone(t *taxonomy.Taxonomy, set []rows.Row) bool {
	if !t.Single {
		return false
	}
	for _, r := range set {
		if targets := rows.Targets(r.Labels, o.MaskAbstain); targets != nil && targets[len(r.Labels)] > 0 {
			return true
		}
	}
	return false
}

// targets are the scores that a single model of so many outputs learns from a row; nil
// where nothing is known, or a text of no category is none of them.
func (o *Options) targets(r rows.Row, outputs int) []float32 {
	all := rows.Targets(r.Labels, o.MaskAbstain)
	if all == nil || outputs < len(all) && all[outputs] > 0 {
		return nil
	}
	return all[:outputs]
}

// choiceWeights are how much the outputs of a single model count, by how rare they are.
func (o *Options) choiceWeights(set []rows.Row, outputs int) []float32 {
	mass := make([]float64, outputs)
	for _, r := range set {
		for c, x := range o.targets(r, outputs) {
			mass[c] += float64(x)
		}
	}
	out := make([]float32, outputs)
	for c, w := range o.tagWeights(mass) {
		out[c] = float32(w)
	}
	return out
}

// rulesBonus is what the logits of categories that rules name gain in a single model.
// Two sets of English news chose it for heads on frozen encoders, 1 and 3 differed
// little. Held-out rows cannot choose it, since rules made their labels.
const rulesBonus = 2

// addRulesBonus lets the rules weigh in where the plan says so, or where the model does
// not find the categories of val without the rules' words.
func (l *loop) addRulesBonus(ctx context.Context, m *bert.Model) error {
	if l.o.RulesBeside == "auto" {
		logs, err := l.logs(ctx, m, dataset.EncodeWithoutRules(l.t, m, l.val, m.Tokenizer.Mask()))
		if err != nil {
			return err
		}
		if f1 := l.macroF1(logs); f1 >= metrics.AloneF1 {
			l.env.Log.Info("the model answers alone: it finds the categories without the rules' words", "val_macro_f1", round(f1))
			return nil
		}
	}
	m.Spec.RulesBonus = rulesBonus
	l.env.Log.Info("rules weigh in beside the model", "bonus", rulesBonus)
	return nil
}

// macroF1 is that of a single model's answers on val, over categories that are there.
func (l *loop) macroF1(logs [][]float32) float64 {
	truths, answers := make([]metrics.Truth, len(logs)), make([]metrics.Answer, len(logs))
	for i, x := range logs {
		answers[i].Positive = l.answer(x)
		for c := range l.names {
			truths[i].Positive = append(truths[i].Positive, l.truth.positive[c][i])
			truths[i].Known = append(truths[i].Known, l.truth.known[c][i])
		}
	}
	sum, n := 0.0, 0.0
	for _, c := range metrics.Score(l.names, truths, answers, nil).PerCategory {
		if c.Support > 0 {
			sum += c.F1
			n++
		}
	}
	return sum / math.Max(n, 1)
}

// choiceTruth is the validation rows' one category as truth of each.
func choiceTruth(labels []rows.Label) (positive []bool, known bool) {
	at, known := rows.Choice(labels)
	positive = make([]bool, len(labels))
	if at >= 0 {
		positive[at] = true
	}
	return positive, known
}

// calibrateChoice fits the temperature of a single model, which it gives to the model.
// On val the rules' words flatter: of the texts that are asked about later a rule fires
// on some alone. So val is read once as it is and once with these words hidden, and both
// count as often as rows of the one kind and the other come in.
func (l *loop) calibrateChoice(ctx context.Context, model *bert.Model) (*release.Calibration, error) {
	out := &release.Calibration{Temperature: "one", Categories: map[string]release.Calibrated{}, Gold: []release.GoldRow{}}
	for _, r := range l.gold {
		out.Gold = append(out.Gold, release.GoldRow{URL: r.URL, ID: r.ID, Title: r.Title})
	}
	fitted := &release.CalibratedChoice{On: "val", Rows: len(l.targets), Fired: round(l.fired)}
	hidden, err := l.logs(ctx, model, dataset.EncodeWithoutRules(l.t, model, l.val, model.Tokenizer.Mask()))
	if err != nil {
		return nil, err
	}
	loss := func(t float64) float64 {
		return l.fired*metrics.ChoiceLoss(l.state.Scores, l.targets, t) + (1-l.fired)*metrics.ChoiceLoss(hidden, l.targets, t)
	}
	if len(l.gold) > 0 {
		texts, targets := l.goldChoices(model)
		gold, err := l.logs(ctx, model, texts)
		if err != nil {
			return nil, err
		}
		if enough := minPerAnswer * model.Spec.Outputs(); len(gold) < enough {
			l.env.Log.Warn("the gold part has too few rows: val decides on the temperature", slog.Int("rows", len(gold)), slog.Int("needed", enough))
		} else {
			fitted.On, fitted.Rows, fitted.Fired = "gold", len(gold), 1
			loss = func(t float64) float64 { return metrics.ChoiceLoss(gold, targets, t) }
		}
	}
	fitted.Temperature = metrics.LeastTemperature(loss)
	fitted.LogLoss = [2]float64{round(loss(1)), round(loss(fitted.Temperature))}
	out.Choice, model.Spec.Temperature = fitted, fitted.Temperature
	return out, nil
}

// goldChoices are the texts of the gold part, and their targets.
func (l *loop) goldChoices(model *bert.Model) (texts []bert.Text, targets [][]float32) {
	for _, r := range l.gold {
		if t := l.o.targets(r, model.Spec.Outputs()); t != nil {
			var x bert.Text
			x.IDs, x.Types = model.Encode(r.Title, r.Description)
			texts, targets = append(texts, x), append(targets, t)
		}
	}
	return texts, targets
}

// logs are what the network gives for texts, by row and output.
func (l *loop) logs(ctx context.Context, model *bert.Model, texts []bert.Text) ([][]float32, error) {
	predictions, err := l.predict(ctx, model, texts)
	out := make([][]float32, len(predictions))
	for i, p := range predictions {
		out[i] = model.Spec.Logs(p)
	}
	return out, err
}

// firedShare is the share of rows on whose text, in the fields that the model reads, a
// rule fires.
func (o *Options) firedShare(t *taxonomy.Taxonomy, set []rows.Row) float64 {
	matcher := keywords.New(t)
	var hits keywords.Result
	n := 0
	for _, r := range set {
		if !o.has("description") {
			r.Description = ""
		}
		if matcher.MatchIn(&hits, r.Language, r.Title, r.Description); hits.Any() {
			n++
		}
	}
	return float64(n) / math.Max(float64(len(set)), 1)
}
