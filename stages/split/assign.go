package split

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// part removes the rows that meet the gold set, by identity, normalised title
// or near-duplicate group, and numbers the groups of the rest.
func part(all, gold []rows.Row, o *Options) (kept []rows.Row, groups []int, removed int) {
	titles := make([]string, 0, len(all)+len(gold))
	for _, r := range all {
		titles = append(titles, r.Title)
	}
	for _, r := range gold {
		titles = append(titles, r.Title)
	}
	var near []int
	if o.NearDups || len(gold) > 0 {
		near = rows.NearDuplicates(titles, o.Threshold)
	}
	banned := map[string]bool{}
	bannedGroup := map[int]bool{}
	for i, g := range gold {
		for _, k := range keysOf(g) {
			banned[k] = true
		}
		bannedGroup[near[len(all)+i]] = true
	}
	exact := map[string]int{}
	for i, r := range all {
		meets := len(gold) > 0 && bannedGroup[near[i]]
		for _, k := range keysOf(r) {
			meets = meets || banned[k]
		}
		if meets {
			removed++
			continue
		}
		group := i
		if o.NearDups {
			group = near[i]
		} else if first, ok := exact[rows.TitleKey(r.Title)]; ok {
			group = first
		} else {
			exact[rows.TitleKey(r.Title)] = i
		}
		kept = append(kept, r)
		groups = append(groups, group)
	}
	return kept, groups, removed
}

// keysOf are the names under which a row and a gold row may meet.
func keysOf(r rows.Row) []string {
	keys := []string{"title:" + rows.TitleKey(r.Title)}
	if r.URL != "" {
		keys = append(keys, "url:"+r.URL)
	}
	if r.ID != "" {
		keys = append(keys, "id:"+r.ID)
	}
	return keys
}

func countGroups(groups []int) int {
	seen := map[int]bool{}
	for _, g := range groups {
		seen[g] = true
	}
	return len(seen)
}

// bundle is a group of rows that stays together.
type bundle struct {
	rows      []int
	positives []int // per category
	latest    string
	side      int // -1 while free
}

func bundles(kept []rows.Row, groups []int, categories int) []*bundle {
	at := map[int]*bundle{}
	var out []*bundle
	for i, g := range groups {
		b := at[g]
		if b == nil {
			b = &bundle{positives: make([]int, categories), side: -1}
			at[g] = b
			out = append(out, b)
		}
		b.rows = append(b.rows, i)
		b.latest = max(b.latest, kept[i].SeenAt)
		for c := range categories {
			if positive(kept[i], c) {
				b.positives[c]++
			}
		}
	}
	return out
}

// assign returns the side of every row.
func (s *stage) assign(kept []rows.Row, groups []int, categories int) ([]int, error) {
	list := bundles(kept, groups, categories)
	ratios := [3]float64{s.o.Ratios.Train, s.o.Ratios.Val, s.o.Ratios.Test}
	switch {
	case s.o.ByTime:
		for i := range kept {
			if kept[i].SeenAt == "" {
				return nil, stages.Fail(stages.CodeStage, "Leave by_time out, or use a source that gives seen_at.", "by_time: the row %q has no seen_at", kept[i].Title)
			}
		}
		byTime(list, ratios, len(kept))
	default:
		rng := rand.New(rand.NewPCG(uint64(s.o.Seed), 0x5eed))
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if !s.o.Stratify {
			categories = 0
		}
		stratify(list, ratios, len(kept), categories)
	}
	side := make([]int, len(kept))
	for _, b := range list {
		if b.side < 0 {
			return nil, fmt.Errorf("a group of %d rows has no side", len(b.rows))
		}
		for _, i := range b.rows {
			side[i] = b.side
		}
	}
	return side, nil
}

// byTime fills the sides from the oldest bundle to the newest.
func byTime(list []*bundle, ratios [3]float64, total int) {
	slices.SortStableFunc(list, func(a, b *bundle) int { return cmp.Compare(a.latest, b.latest) })
	done := 0
	for _, b := range list {
		middle := float64(done) + float64(len(b.rows))/2
		switch share := middle / float64(total); {
		case share < ratios[0]:
			b.side = 0
		case share < ratios[0]+ratios[1]:
			b.side = 1
		default:
			b.side = 2
		}
		done += len(b.rows)
	}
}

// stratify gives the bundles of the rarest category to the side that lacks
// most of it, then those of the next, then the rest: the iterative
// stratification of Sechidis et al. (2011), on bundles instead of rows.
func stratify(list []*bundle, ratios [3]float64, total, categories int) {
	needRows := [3]float64{}
	for s := range ratios {
		needRows[s] = ratios[s] * float64(total)
	}
	count := make([]int, categories)
	for _, b := range list {
		for c := range count {
			count[c] += b.positives[c]
		}
	}
	need := make([][3]float64, categories)
	order := make([]int, categories)
	for c := range order {
		order[c] = c
		for s := range ratios {
			need[c][s] = ratios[s] * float64(count[c])
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(count[a], count[b]) })
	place := func(b *bundle, c int) {
		best := 0
		for s := 1; s < 3; s++ {
			if c >= 0 && need[c][s] != need[c][best] {
				if need[c][s] > need[c][best] {
					best = s
				}
			} else if needRows[s] > needRows[best] {
				best = s
			}
		}
		b.side = best
		needRows[best] -= float64(len(b.rows))
		for k := range need {
			need[k][best] -= float64(b.positives[k])
		}
	}
	for _, c := range order {
		for _, b := range list {
			if b.side < 0 && b.positives[c] > 0 {
				place(b, c)
			}
		}
	}
	// Large bundles first, so that small ones can even the sides out.
	rest := slices.Clone(list)
	slices.SortStableFunc(rest, func(a, b *bundle) int { return len(b.rows) - len(a.rows) })
	for _, b := range rest {
		if b.side < 0 {
			place(b, -1)
		}
	}
}
