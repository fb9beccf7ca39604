package frozen

import (
	"math"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/heads"
	"github.com/sprint-ml/sprint/ml/metrics"
)

// Answer is how a model of fitted heads answers.
type Answer struct {
	Temperature float64   // where a row has one category
	Thresholds  []float64 // scores by category, where it may have several; above 1 is never
	Bonus       float64
	// Agreement is the macro-F1 of held-out answers against the labels, over Agreed
	// categories that have enough of them.
	Agreement float64
	Agreed    int
	// Alarm says that it is too low, and that the rules answer alone.
	Alarm bool
}

// answer makes it of fitted heads.
func (s *Set) answer(h *heads.Heads, o Options) Answer {
	a := Answer{Temperature: h.Temperature, Agreement: h.Agreement, Agreed: h.Agreed}
	if s.hasRules() {
		a.Bonus = o.Bonus
		a.Alarm = h.Agreed > 0 && h.Agreement < s.alarm(o) && s.byRules()
	}
	for _, cut := range h.Cuts {
		threshold := float64(metrics.Never)
		if !math.IsInf(cut, 1) {
			threshold = score(cut)
		}
		a.Thresholds = append(a.Thresholds, threshold)
	}
	return a
}

// hasRules reports whether a rule may name a category.
func (s *Set) hasRules() bool {
	for _, r := range s.Taxonomy.Rules {
		if r.Weight > 0 {
			return true
		}
	}
	return false
}

// byRules reports whether most labelled rows were not labelled by people.
func (s *Set) byRules() bool {
	hand, all := 0, 0
	for i := range s.Rows {
		for c, l := range s.Rows[i].Labels {
			if l.Abstain {
				continue
			}
			all++
			if byHand(s.Rows[i].DecidedBy(s.Taxonomy.Categories[c].Name)) {
				hand++
			}
		}
	}
	return 2*hand < all
}

// boughtShare is what the alarm demands where a chat model made the labels, of what it
// demands of the rules' labels. One that is wrong about a quarter of the rows leaves heads
// that are always right at 0.75; an encoder that does not know the language leaves less than
// half.
const boughtShare = 0.7

// alarm is the agreement with the labels under which the rules answer alone.
func (s *Set) alarm(o Options) float64 {
	bought, all := 0, 0
	for i := range s.Rows {
		for c, l := range s.Rows[i].Labels {
			if l.Abstain {
				continue
			}
			all++
			if s.Rows[i].DecidedBy(s.Taxonomy.Categories[c].Name) == "http" {
				bought++
			}
		}
	}
	if 2*bought > all {
		return o.Alarm * boughtShare
	}
	return o.Alarm
}

// Apply gives a model with linear heads the numbers of a fit.
func (f *Fit) Apply(m *bert.Model) error {
	if err := m.SetLinear(f.Linear); err != nil {
		return err
	}
	a, s := &f.Answer, &m.Spec
	if s.Single {
		s.Temperature = a.Temperature
	}
	if s.RulesAlone = a.Alarm; a.Alarm {
		return nil
	}
	s.RulesBonus = a.Bonus
	for c, threshold := range a.Thresholds {
		if threshold > 1 && a.Bonus > 0 { // no score is worth an answer, so a rule that fires decides
			if s.RulesBeside == nil {
				s.RulesBeside = map[string]float64{}
			}
			s.RulesBeside[s.Categories[c].Name] = metrics.Never
		}
	}
	return nil
}
