package verify

import (
	"context"
	"strconv"

	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/rows"
)

// leak is a measured row that the model was trained on.
type leak struct {
	row int    // of the set
	as  string // title of the training row
}

// leaks finds the rows of a set that train holds, as near-duplicates or by url, id
// or title.
func leaks(trainRows, in []rows.Row) []leak {
	near := dedup.Groups(rows.Titles(trainRows, in))
	names := func(r rows.Row, group int) []string {
		out := []string{"near:" + strconv.Itoa(group)}
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
	trained := map[string]string{} // titles by name
	for i, r := range trainRows {
		for _, n := range names(r, near[i]) {
			trained[n] = r.Title
		}
	}
	var out []leak
	for i, r := range in {
		for _, n := range names(r, near[len(trainRows)+i]) {
			if title, met := trained[n]; met {
				out = append(out, leak{i, title})
				break
			}
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
	return observation{value: float64(len(leaks)), samples: func() (out []Sample) {
		for _, l := range leaks[:min(maxSamples, len(leaks))] {
			out = append(out, in.set.sample(l.row, "not in train", "in train as: "+shorten(l.as)))
		}
		return out
	}}, nil
}
