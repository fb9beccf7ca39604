package heads

// Bonus is what the logit of a category gains where the rules name it: one that is in
// doubt follows them, one that is sure stays.
const Bonus = 2

// Beside moves a row's logits by what the rules say of it: named is the share of each
// category in that, and all 0 where no rule speaks. Where a row may have several
// categories, those that are not named lose the bonus.
func Beside(logits, named []float64, bonus float64, single bool) {
	spoke := false
	for _, x := range named {
		spoke = spoke || x > 0
	}
	for c, x := range named {
		switch {
		case x > 0:
			logits[c] += bonus * x
		case spoke && !single:
			logits[c] -= bonus
		}
	}
}

// Answer are the outputs that a row is of: the highest one, or all over their cuts.
func (h *Heads) Answer(logits []float64) []bool {
	out := make([]bool, len(logits))
	if h.Cuts == nil {
		out[highest(logits)] = true
		return out
	}
	for c, x := range logits {
		out[c] = x > h.Cuts[c]
	}
	return out
}
