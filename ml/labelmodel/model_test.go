package labelmodel

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

func policies(p Policy, n int) []Policy {
	out := make([]Policy, n)
	for i := range out {
		out[i] = p
	}
	return out
}

func TestPolicies(t *testing.T) {
	// Voter 0 says present (0.8, tag 2), 1 present (0.4, tag 1), 2 and 3 absent.
	weights := []float64{1, 0.5, 0.7, 0.9}
	votes := []Vote{{Voter: 0, Score: 0.8, Tag: 2}, {Voter: 1, Score: 0.4, Tag: 1}, {Voter: 2}, {Voter: 3}}
	for _, c := range []struct {
		name    string
		policy  Policy
		votes   []Vote
		score   float64
		tag     int
		abstain bool
		clash   bool
	}{
		{"nobody", Max, nil, 0, 0, true, false},
		{"absent alone", Abstain, votes[2:], 0, 0, false, false},
		{"present alone", Abstain, votes[:2], 0.8, 2, false, false},
		{"max", Max, votes, 0.8, 2, false, true},
		{"abstain", Abstain, votes, 0, 0, true, true},
		{"heavier absent", WeightedVote, votes, 0, 0, false, true},
		{"heavier present", WeightedVote, votes[:3], (0.8 + 0.2) / 1.5, 2, false, true},
		{"equal", WeightedVote, []Vote{{Voter: 0, Score: 1}, {Voter: 4}}, 0, 0, true, true},
	} {
		m := Model{Weights: append(weights[:4:4], 1), Policies: policies(c.policy, 1)}
		d := m.Decide(c.votes)[0]
		if d.Score != c.score || d.Tag != c.tag || d.Abstain != c.abstain || d.Conflict != c.clash {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
}

func TestSilencedVoterHasNoSay(t *testing.T) {
	m := Model{Weights: []float64{0, 1}, Policies: policies(Max, 1)}
	if d := m.Decide([]Vote{{Voter: 0, Score: 1}})[0]; !d.Abstain {
		t.Errorf("%+v", d)
	}
}

func TestExclusive(t *testing.T) {
	votes := []Vote{{Voter: 0, Category: 0, Score: 0.5}, {Voter: 1, Category: 1, Score: 0.9, Tag: 1}, {Voter: 2, Category: 2}}
	m := Model{Weights: []float64{3, 1, 1}, Policies: policies(Max, 3), Exclusive: true}
	d := m.Decide(votes)
	if d[0].Score != 0 || d[0].Abstain || !d[0].Conflict || d[1].Score != 0.9 || !reflect.DeepEqual(d[0].Winners, []int{1}) || d[2].Conflict {
		t.Errorf("max: %+v", d)
	}
	m.Policies = policies(WeightedVote, 3)
	if d := m.Decide(votes); d[0].Score != 0.5 || d[1].Score != 0 {
		t.Errorf("vote: %+v", d)
	}
	m.Policies = policies(Abstain, 3)
	if d := m.Decide(votes); !d[0].Abstain || !d[1].Abstain || d[2].Abstain {
		t.Errorf("abstain: %+v", d)
	}
	m.Policies = policies(Max, 3)
	votes[0].Score = 0.9
	if d := m.Decide(votes); !d[0].Abstain || !d[1].Abstain {
		t.Errorf("equally strong: %+v", d)
	}
}

func TestLearn(t *testing.T) {
	m := Model{Weights: []float64{1, 1, 1}, Policies: policies(WeightedVote, 1)}
	var rows [][]Vote
	for range 6 {
		rows = append(rows, []Vote{{Voter: 0, Score: 1}, {Voter: 1, Score: 1}})
	}
	tallies := m.Learn(rows, func(row, _ int) bool { return row < 1 })
	if tallies[0] != (Tally{6, 1}) || m.Weights[0] != 0 || m.Weights[2] != 0.75 {
		t.Errorf("%v %v", tallies, m.Weights)
	}
	// An absent vote is right where the category is absent.
	m = Model{Weights: []float64{1}, Policies: policies(WeightedVote, 1)}
	if got := m.Learn([][]Vote{{{Voter: 0}}}, func(int, int) bool { return false }); got[0].Right != 1 {
		t.Errorf("%v", got)
	}
}

// TestOrder: the votes' order changes neither score nor abstention.
func TestOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		m := Model{Exclusive: rng.IntN(2) == 0}
		for range 3 {
			m.Policies = append(m.Policies, []Policy{Max, WeightedVote, Abstain}[rng.IntN(3)])
		}
		var votes []Vote
		for i := range rng.IntN(6) {
			m.Weights = append(m.Weights, float64(1+rng.IntN(3))/4)
			votes = append(votes, Vote{Voter: i, Category: rng.IntN(3), Score: float64(rng.IntN(3)) / 2})
		}
		a := m.Decide(votes)
		rng.Shuffle(len(votes), func(i, j int) { votes[i], votes[j] = votes[j], votes[i] })
		b := m.Decide(votes)
		present := 0
		for c := range a {
			if a[c].Score != b[c].Score || a[c].Abstain != b[c].Abstain || a[c].Conflict != b[c].Conflict {
				t.Fatalf("%+v\n%+v\n%+v", m, a, b)
			}
			if a[c].Score > 0 {
				present++
			}
			if a[c].Abstain && a[c].Score != 0 || a[c].Score > 1 {
				t.Fatalf("%+v", a[c])
			}
		}
		if m.Exclusive && present > 1 {
			t.Fatalf("%d present: %+v", present, a)
		}
	}
}
