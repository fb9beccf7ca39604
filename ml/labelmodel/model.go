// Package labelmodel combines weak labels: what several voters say about a text becomes
// one label per category.
//
// A score means one thing everywhere: the strength of the category in the text,
// in [-1,1], where 0 is absent. A voter that has no opinion casts no vote.
package labelmodel

// Policy says what becomes of a category that some voters call present and
// others absent.
type Policy string

// The policies.
const (
	Max          Policy = "max"     // present, with the strongest score
	WeightedVote Policy = "vote"    // the side with the larger sum of weights; abstain when they are equal
	Abstain      Policy = "abstain" // no decision
)

// Vote is what one voter says about one category.
type Vote struct {
	Voter    int // index of the voter in Model.Weights
	Category int
	Score    float64 // strength in [-1,1]; present if it is above 0
	Tag      int     // index of the category's tag; 0 is none
}

// Decision is the outcome for one category.
type Decision struct {
	Score   float64
	Tag     int
	Abstain bool // nobody voted, or the policy gave no decision
	// Conflict tells that votes stood against each other, whatever became of it.
	Conflict bool
	// Winners are the voters of the side that won.
	Winners []int
}

// Model combines votes. The zero Model has no voters.
type Model struct {
	// Weights holds the weight of each voter; 0 silences it.
	Weights []float64
	// Policies holds a policy per category.
	Policies []Policy
	// Exclusive texts have one category at most: a present vote for one is a
	// vote against the others.
	Exclusive bool
}

// Decide returns a decision per category. The result does not depend on the
// order of the votes, except that the earlier of equal ones gives the tag.
func (m *Model) Decide(votes []Vote) []Decision {
	out := make([]Decision, len(m.Policies))
	support := make([]float64, len(out))
	for c := range out {
		out[c], support[c] = m.decide(votes, c)
	}
	if m.Exclusive {
		m.keepStrongest(out, support)
	}
	return out
}

// decide decides a category; support is the weight behind its presence.
func (m *Model) decide(votes []Vote, c int) (d Decision, support float64) {
	var against, total, lowest float64
	var pro, con []int
	best, tagged := -1, -1
	for i, v := range votes {
		w := m.Weights[v.Voter]
		if v.Category != c || w <= 0 {
			continue
		}
		if v.Score <= 0 {
			against += w
			lowest = min(lowest, v.Score)
			con = append(con, v.Voter)
			continue
		}
		support += w
		total += w * v.Score
		pro = append(pro, v.Voter)
		if best < 0 || v.Score > votes[best].Score {
			best = i
		}
		if v.Tag != 0 && (tagged < 0 || v.Score > votes[tagged].Score) {
			tagged = i
		}
	}
	d.Conflict = len(pro) > 0 && len(con) > 0
	policy := m.Policies[c]
	switch {
	case len(pro) == 0 && len(con) == 0:
		return Decision{Abstain: true}, 0
	case len(pro) == 0:
		return Decision{Score: lowest, Winners: con}, 0
	case d.Conflict && policy == Abstain, d.Conflict && policy == WeightedVote && support == against:
		return Decision{Abstain: true, Conflict: true}, 0
	case d.Conflict && policy == WeightedVote && support < against:
		return Decision{Score: lowest, Conflict: true, Winners: con}, 0
	}
	d.Winners = pro
	if d.Score = votes[best].Score; policy == WeightedVote {
		d.Score = total / support
	}
	if tagged >= 0 {
		d.Tag = votes[tagged].Tag
	}
	return d, support
}

// keepStrongest leaves one category present. Those that abstain on conflict drop out
// first; of the others the strongest wins, by score or by weight as the policy
// of each compares, and equal ones are no decision.
func (m *Model) keepStrongest(out []Decision, support []float64) {
	var present []int
	for c, d := range out {
		if !d.Abstain && d.Score > 0 {
			present = append(present, c)
		}
	}
	if len(present) < 2 {
		return
	}
	rank := make([]float64, len(out))
	best, tie := -1, false
	for _, c := range present {
		if rank[c] = out[c].Score; m.Policies[c] == WeightedVote {
			rank[c] = support[c]
		}
		switch {
		case m.Policies[c] == Abstain:
		case best < 0 || rank[c] > rank[best]:
			best, tie = c, false
		case rank[c] == rank[best]:
			tie = true
		}
	}
	for _, c := range present {
		switch {
		case m.Policies[c] == Abstain, tie && rank[c] == rank[best]:
			out[c] = Decision{Abstain: true, Conflict: true}
		case c == best:
			out[c].Conflict = true
		case tie:
			out[c] = Decision{Conflict: true}
		default:
			out[c] = Decision{Conflict: true, Winners: out[best].Winners}
		}
	}
}

// Tally counts how a voter did on rows whose truth is known.
type Tally struct {
	Votes int `json:"votes"`
	Right int `json:"right"`
}

// priorRight and priorVotes are what a voter counts as having shown before it
// was seen: three votes of four right, so that one mistake on a small gold part
// does not silence a rule.
const (
	priorRight = 3
	priorVotes = 4
)

// Precision is the share of right votes, drawn to three in four while there are
// few.
func (t Tally) Precision() float64 {
	return (float64(t.Right) + priorRight) / (float64(t.Votes) + priorVotes)
}

// Learn weighs the voters by rows whose truth is known: the stated weight times
// the precision there. A voter that is wrong more often than right is silenced.
// present tells whether a category holds for a row.
func (m *Model) Learn(rows [][]Vote, present func(row, category int) bool) []Tally {
	tallies := make([]Tally, len(m.Weights))
	for i, votes := range rows {
		for _, v := range votes {
			t := &tallies[v.Voter]
			t.Votes++
			if (v.Score > 0) == present(i, v.Category) {
				t.Right++
			}
		}
	}
	for i, t := range tallies {
		if p := t.Precision(); p < 0.5 {
			m.Weights[i] = 0
		} else {
			m.Weights[i] *= p
		}
	}
	return tallies
}
