package keywords

// Shares puts the weight behind each category into a share of 1: that of every place
// where a rule speaks for it, its own weight or what rules against the category leave of
// it. Without a rule that speaks all are 0.
func (m *Matcher) Shares(r *Result, into []float64) []float64 {
	into = append(into[:0], r.Scores...)
	clear(into)
	total := 0.0
	for _, h := range r.Fired {
		rule := &m.rules[h.Rule]
		if w := min(rule.weight, r.Scores[rule.category]); w > 0 {
			into[rule.category] += w
			total += w
		}
	}
	for c := range into {
		if total > 0 {
			into[c] /= total
		}
	}
	return into
}

// Choose returns the one category that the rules say of a text, that with the most weight
// behind it, as Shares has it. Among equals the strongest rule decides, then the order
// of the taxonomy. It is -1 if no rule speaks.
func (m *Matcher) Choose(r *Result) int {
	best := -1
	shares := m.Shares(r, nil)
	for c, x := range shares {
		if x > 0 && (best < 0 || x > shares[best] || x == shares[best] && r.Scores[c] > r.Scores[best]) {
			best = c
		}
	}
	return best
}
