package rows

// Targets are the probabilities of the categories of a row that has one of them, in
// proportion to their scores, and last that of none, which is 1 where every category is
// decided and absent. It is nil where nobody decided. undecided says that a category
// without a decision is not absent.
func Targets(labels []Label, undecided bool) []float32 {
	out := make([]float32, len(labels)+1)
	total, open := 0.0, false
	for _, l := range labels {
		open = open || l.Abstain && undecided
		if !l.Abstain && l.Score > 0 {
			total += l.Score
		}
	}
	switch {
	case total > 0:
		for c, l := range labels {
			if !l.Abstain && l.Score > 0 {
				out[c] = float32(l.Score / total)
			}
		}
	case open || len(labels) == 0:
		return nil
	default:
		out[len(labels)] = 1
	}
	return out
}

// Choice is the one category of a row, -1 for none of them: the one of the largest
// target. It is not known where nobody decided, or several are equally likely.
func Choice(labels []Label) (category int, known bool) {
	targets := Targets(labels, true)
	best := -1
	for c, x := range targets {
		switch {
		case best < 0 || x > targets[best]:
			best, known = c, true
		case x == targets[best]:
			known = false
		}
	}
	if best == len(labels) {
		best = -1
	}
	return best, known
}
