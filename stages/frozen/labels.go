package frozen

import (
	"context"
	"strings"

	"github.com/sprint-ml/sprint/ml/heads"
	"github.com/sprint-ml/sprint/stages/rows"
)

// labels are what the rows say. A label that is there counts as 1 where a row may have
// several categories, whatever its rule's weight; where it has one, categories share it by
// their scores. What people said is fixed.
func (s *Set) labels() *heads.Labels {
	single := s.Taxonomy.Single
	outputs := len(s.Taxonomy.Categories)
	if s.None {
		outputs++
	}
	l := &heads.Labels{Outputs: outputs, Single: single, Target: make([]float64, len(s.Rows)*outputs), Weight: make([]float64, len(s.Rows)*outputs)}
	if single {
		l.Fixed = make([]bool, len(s.Rows))
	}
	for i := range s.Rows {
		target, weight := l.Target[i*outputs:(i+1)*outputs], l.Weight[i*outputs:(i+1)*outputs]
		if single {
			l.Fixed[i] = s.choice(&s.Rows[i], target, weight)
		} else {
			s.several(&s.Rows[i], target, weight)
		}
	}
	return l
}

// choice fills in a row of one category, or of none, and reports whether people said so.
func (s *Set) choice(r *rows.Row, target, weight []float64) (hand bool) {
	all := rows.Targets(r.Labels, s.MaskAbstain)
	if all == nil || len(target) < len(all) && all[len(target)] > 0 {
		return false
	}
	for c, l := range r.Labels {
		hand = hand || !l.Abstain && byHand(r.DecidedBy(s.Taxonomy.Categories[c].Name))
	}
	for k := range target {
		target[k], weight[k] = float64(all[k]), s.weight(hand)
	}
	return hand
}

// several fills in a row that may have several categories.
func (s *Set) several(r *rows.Row, target, weight []float64) {
	for c, l := range r.Labels {
		if l.Abstain && s.MaskAbstain {
			continue
		}
		weight[c] = s.weight(byHand(r.DecidedBy(s.Taxonomy.Categories[c].Name)))
		if !l.Abstain && l.Score > 0 {
			target[c] = 1
		}
	}
}

// Classes counts the labelled rows, and reports whether a category can be told apart in
// them: it is there in some and not in others.
func Classes(set []rows.Row, maskAbstain bool) (labelled int, apart bool) {
	var yes, no []bool
	for _, r := range set {
		counts := false
		yes, no = append(yes, make([]bool, max(len(r.Labels)-len(yes), 0))...), append(no, make([]bool, max(len(r.Labels)-len(no), 0))...)
		for c, l := range r.Labels {
			if l.Abstain && maskAbstain {
				continue
			}
			counts = true
			present := !l.Abstain && l.Score > 0
			yes[c], no[c] = yes[c] || present, no[c] || !present
		}
		if counts {
			labelled++
		}
	}
	for c := range yes {
		apart = apart || yes[c] && no[c]
	}
	return labelled, apart
}

func (s *Set) weight(hand bool) float64 {
	if hand && s.HandWeight > 0 {
		return s.HandWeight
	}
	return 1
}

// byHand reports whether a label's source, as rows.Row.DecidedBy says it, is people, alone
// or in a vote with others.
func byHand(source string) bool {
	for one := range strings.SplitSeq(source, "+") {
		if one == "columns" || one == "overlay" {
			return true
		}
	}
	return false
}

// neverLogit is the logit of a tag that no row has.
const neverLogit = -1e4

// tags are the weights of a category's tags, the bias last. Rows of the category that carry
// a tag teach them; where none does, the empty tag is the answer.
func (s *Set) tags(ctx context.Context, z *heads.Features, category int, o heads.Options) ([][]float32, error) {
	c := &s.Taxonomy.Categories[category]
	class := make([]int, len(c.Tags)) // of a tag, 0 is none
	var at, of, tags []int
	for i := range s.Rows {
		l := s.Rows[i].Labels[category]
		if l.Abstain || l.Score <= 0 {
			continue
		}
		tag := c.TagIndex(l.Tag)
		if tag <= 0 {
			continue
		}
		if class[tag] == 0 {
			tags = append(tags, tag)
			class[tag] = len(tags)
		}
		at, of = append(at, i), append(of, class[tag]-1)
	}
	out := make([][]float32, len(c.Tags))
	for t := range out {
		out[t] = make([]float32, len(s.Vectors[0])+1)
		out[t][len(s.Vectors[0])] = neverLogit
	}
	if len(tags) == 0 {
		out[0][len(s.Vectors[0])] = 0
		return out, nil
	}
	w, err := heads.TrainTags(ctx, z, at, of, len(tags), o)
	if err != nil {
		return nil, err
	}
	for k, t := range tags {
		out[t] = narrow(w.Of(k))
	}
	return out, nil
}
