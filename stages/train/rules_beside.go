package train

import (
	"context"
	"fmt"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/release"
)

// chooseRulesBeside measures the model on val with every word hidden on which a rule
// fires: what it finds then it has not from the rules.
func (l *loop) chooseRulesBeside(ctx context.Context, m *bert.Model) (map[string]float64, error) {
	fire := map[string]bool{}
	for _, rule := range l.t.Rules {
		fire[l.t.Categories[rule.Category].Name] = true
	}
	predictions, err := l.predict(ctx, m, dataset.EncodeWithoutRules(l.t, m, l.val, m.Tokenizer.Mask()))
	if err != nil {
		return nil, fmt.Errorf("measure the model with the rules' words hidden: %w", err)
	}
	out := map[string]float64{}
	for c, name := range l.names {
		if !fire[name] {
			continue
		}
		var scores []float32
		var positive []bool
		for i, p := range predictions {
			if l.truth.known[c][i] {
				scores, positive = append(scores, p.Scores[c]), append(positive, l.truth.positive[c][i])
			}
		}
		from, alone := metrics.RulesBeside(scores, positive)
		if !alone || l.o.RulesBeside == "always" {
			out[name] = from
		}
	}
	return out, nil
}

// addRulesBeside lets the rules answer for categories where that is better.
func (l *loop) addRulesBeside(ctx context.Context, m *bert.Model) error {
	if !l.o.rulesBeside() {
		return nil
	}
	if m.Spec.Single {
		return l.addRulesBonus(ctx, m)
	}
	from, err := l.chooseRulesBeside(ctx, m)
	if err != nil {
		return err
	}
	m.Spec.RulesBeside = from
	var decided, added []string
	for _, name := range l.names {
		if x, ok := from[name]; ok {
			decided = append(decided, name)
			if x < metrics.Never {
				added = append(added, name)
			}
		}
	}
	l.env.Log.Info("rules answer beside the model", "categories", decided, "model_adds_to", added)
	l.env.Note("with_rules", from)
	return nil
}

// thresholds are the thresholds, those of categories that rules answer for moved
// to where the classifier divides them.
func (l *loop) thresholds(m *bert.Model, fitted *release.Calibration) map[string]float64 {
	out := fitted.Thresholds()
	for name := range m.Spec.RulesBeside {
		out[name] = classify.RuleThreshold
	}
	return out
}
