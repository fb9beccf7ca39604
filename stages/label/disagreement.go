package label

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/sprint-ml/sprint/ml/heads"
	"github.com/sprint-ml/sprint/ml/labelmodel"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/frozen"
	"github.com/sprint-ml/sprint/stages/rows"
)

// askDisagreement is ask together with others where the chat model is asked about the rows
// alone on which the others need it, and about a sample of those on which they do not: what
// it says of these is how often it is wrong.
const askDisagreement = "disagreement"

// reasons count why rows were asked about.
type reasons struct {
	Silent   int `json:"silent"`    // no other source had a vote
	Conflict int `json:"conflicts"` // their votes disagreed
	// Heads counts rows on which heads that did not see them, fitted to the others' labels,
	// disagree with these or are not sure.
	Heads   int `json:"heads"`
	Control int `json:"control"` // rows on which nothing disagrees: they measure the answers
	Agreed  int `json:"agreed"`  // rows like these that were not asked about
}

// agreement is how often answers and the other sources say the same of a row.
type agreement struct {
	Rows  int `json:"rows"`
	Right int `json:"right"`
	// Error is the share of answers that say otherwise; the others' own errors are in it.
	Error float64 `json:"error"`
	// Weight is what a vote of the answers counts because of it, of its stated weight.
	Weight float64 `json:"weight"`
}

// picky returns the source that is asked where others disagree, and the others.
func picky(sources []source) (*httpSource, []source) {
	for i, s := range sources {
		if h, ok := s.(*httpSource); ok && h.s.o.HTTP.Ask == askDisagreement {
			return h, slices.Delete(slices.Clone(sources), i, i+1)
		}
	}
	return nil, sources
}

// askDisputed is ask for sources of which h is asked where the others disagree.
func (b *assembly) askDisputed(ctx context.Context, h *httpSource, others []source) error {
	at := b.undecided()
	set := make([]*rows.Row, len(at))
	for k, i := range at {
		set[k] = &b.rows[i]
	}
	if err := prepareAll(ctx, others, set); err != nil {
		return err
	}
	votes, err := collectVotes(ctx, others, set)
	if err != nil {
		return err
	}
	decided := make([][]labelmodel.Decision, len(set))
	for k := range set {
		decided[k] = b.model.Decide(votes[k])
	}
	unsure, err := b.disputedByHeads(ctx, h, others, set, decided)
	if err != nil {
		return err
	}
	asked := h.choose(set, decided, unsure)
	about := make([]*rows.Row, len(asked))
	for n, k := range asked {
		about[n] = set[k]
	}
	if err := h.prepare(ctx, about); err != nil {
		return err
	}
	answers, err := h.cast(ctx, about)
	if err != nil {
		return err
	}
	b.weigh(h, asked[:h.count.Reasons.Control], answers, decided)
	for n, k := range asked {
		votes[k] = append(votes[k], answers[n]...)
	}
	for k, i := range at {
		if len(votes[k]) > 0 {
			b.decide(i, b.model.Decide(votes[k]))
		}
	}
	return nil
}

// choose lists the rows to ask about: the control first, since max_calls may end the list.
func (h *httpSource) choose(set []*rows.Row, decided [][]labelmodel.Decision, unsure []bool) []int {
	count := &reasons{}
	h.count.Reasons = count
	var ask, agreed []int
	for k := range set {
		switch {
		case !slices.ContainsFunc(decided[k], func(d labelmodel.Decision) bool { return !d.Abstain || d.Conflict }):
			count.Silent++
		case clash(decided[k], h.t.Single):
			count.Conflict++
		case unsure != nil && unsure[k]:
			count.Heads++
		default:
			agreed = append(agreed, k)
			continue
		}
		ask = append(ask, k)
	}
	// Drawn by what rows are, so that the sample stays while rows are added.
	name := func(k int) string {
		sum := sha256.Sum256([]byte(set[k].ID + "\n" + set[k].Title))
		return string(sum[:])
	}
	names := map[int]string{}
	for _, k := range agreed {
		names[k] = name(k)
	}
	slices.SortFunc(agreed, func(x, y int) int { return cmp.Compare(names[x], names[y]) })
	control := agreed[:min(h.s.o.HTTP.Control, len(agreed), h.s.o.HTTP.MaxCalls/2)]
	count.Control, count.Agreed = len(control), len(agreed)-len(control)
	h.s.env.Log.Log(context.Background(), stages.LevelNotable, "the chat model is asked where the others disagree", "silent", count.Silent, "conflicts", count.Conflict, "heads", count.Heads, "control", count.Control, "not_asked", count.Agreed)
	return slices.Concat(control, ask)
}

// clash reports whether votes disagree, or name several categories where a row has one.
func clash(decided []labelmodel.Decision, single bool) bool {
	present := 0
	for _, d := range decided {
		if d.Conflict {
			return true
		}
		if d.Score > 0 {
			present++
		}
	}
	return single && present > 1
}

// weigh measures the answers on the control rows and weighs their votes by it. A gold part
// knows better.
func (b *assembly) weigh(h *httpSource, control []int, answers [][]labelmodel.Vote, decided [][]labelmodel.Decision) {
	var tally labelmodel.Tally
	for n, k := range control {
		if len(answers[n]) == 0 {
			continue
		}
		tally.Votes++
		if !slices.ContainsFunc(answers[n], func(v labelmodel.Vote) bool {
			d := decided[k][v.Category]
			return !d.Abstain && (d.Score > 0) != (v.Score > 0)
		}) {
			tally.Right++
		}
	}
	if tally.Votes == 0 {
		return
	}
	a := &agreement{Rows: tally.Votes, Right: tally.Right, Error: 1 - float64(tally.Right)/float64(tally.Votes), Weight: 1}
	h.count.Agreement = a
	if b.report.Gold == nil {
		if a.Weight = tally.Precision(); a.Weight < 0.5 {
			a.Weight = 0
			h.s.env.Log.Warn("the answers are wrong more often than right where all others agree: they have no say", "rows", a.Rows, "right", a.Right)
		}
		for _, v := range h.voter {
			b.model.Weights[v] *= a.Weight
		}
	}
	h.s.env.Log.Info("the answers against the other sources, where these agree", "rows", a.Rows, "error", a.Error, "weight", a.Weight)
}

// disputedByHeads reports on which rows heads that have not seen them disagree with what the
// others decide, or are not sure. The vectors are those of source encoder; without it, or
// where the labels teach nothing, it is nil.
func (b *assembly) disputedByHeads(ctx context.Context, h *httpSource, others []source, set []*rows.Row, decided [][]labelmodel.Decision) ([]bool, error) {
	i := slices.IndexFunc(others, func(s source) bool { _, ok := s.(*encoderSource); return ok })
	if i < 0 {
		return nil, nil
	}
	e := others[i].(*encoderSource) //nolint:errcheck // it is one
	fitted := &frozen.Set{Taxonomy: b.t, MaskAbstain: true, Seed: 1}
	for k, r := range set {
		labels := make([]rows.Label, len(decided[k]))
		some, open := false, false
		for c, d := range decided[k] {
			labels[c] = rows.Label{Score: d.Score, Abstain: d.Abstain}
			some, open = some || d.Score > 0, open || d.Abstain
		}
		fitted.None = fitted.None || !some && !open
		fitted.Rows, fitted.Vectors = append(fitted.Rows, rows.Row{Labels: labels}), append(fitted.Vectors, e.known[r])
	}
	if labelled, apart := frozen.Classes(fitted.Rows, true); labelled < minTaught || !apart {
		h.s.env.Log.Info("the other sources label too little for heads to disagree with them", "rows", labelled)
		return nil, nil
	}
	d := heads.Defaults()
	f, err := frozen.Train(ctx, fitted, frozen.Options{Strength: d.C, Balance: d.Balance, Rounds: d.Rounds, Power: d.Power, Folds: d.Folds, Sure: d.Sure, Silent: "unknown"})
	if errors.Is(err, heads.ErrNoLabels) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(set))
	for k := range set {
		out[k] = f.Doubts(b.t.Single, k, h.s.o.HTTP.Sure)
	}
	return out, nil
}

// minTaught is how many labelled rows teach heads something.
const minTaught = 50
