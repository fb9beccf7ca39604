package verify

import (
	"context"

	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/rows"
)

// leak is a measured row that the model was trained on.
type leak struct {
	row int    // of the set
	as  string // title of the training row
}

// leaks finds the rows of a set that train holds, by url, id or title, or as
// near-duplicates.
func leaks(trainRows, in []rows.Row) []leak {
	byName := map[string]int{}
	names := func(r rows.Row) []string {
		var out []string
		if r.URL != "" {
			out = append(out, "url:"+r.URL)
		}
		if r.ID != "" {
			out = append(out, "id:"+r.ID)
		}
		if t := rows.TitleKey(r.Title); t != "" {
			out = append(out, "title:"+t)
		}
		return out
	}
	for i, r := range trainRows {
		for _, n := range names(r) {
			byName[n] = i
		}
	}
	near := dedup.Groups(rows.Titles(trainRows, in))
	byGroup := map[int]int{}
	for i := range trainRows {
		byGroup[near[i]] = i
	}
	var out []leak
	for i, r := range in {
		at, met := byGroup[near[len(trainRows)+i]]
		for _, n := range names(r) {
			if j, ok := byName[n]; ok && !met {
				at, met = j, true
			}
		}
		if met {
			out = append(out, leak{i, trainRows[at].Title})
		}
	}
	return out
}

// repeated counts rows that are in a set more than once.
func repeated(in []rows.Row) int {
	seen := map[string]bool{}
	n := 0
	for _, r := range in {
		id, title := rows.Identity(r), "title "+rows.TitleKey(r.Title)
		if id != "" && seen[id] || seen[title] {
			n++
		}
		seen[id], seen[title] = true, true
	}
	return n
}

// checkLeak counts the measured rows that train holds.
func checkLeak(_ context.Context, in checkInput) (observation, error) {
	leaks := in.figures.leaks[in.check.On]
	return observation{value: float64(len(leaks)), samples: func() []Sample { return leakSamples(in.set, leaks) }}, nil
}

func leakSamples(s *evaluationSet, in []leak) []Sample {
	var out []Sample
	for _, l := range in[:min(maxSamples, len(in))] {
		out = append(out, s.sample(l.row, "not in train", "in train as: "+shorten(l.as)))
	}
	return out
}
