package split

import (
	"cmp"
	"slices"
	"time"
)

// assign gives every group the side that its draw says. Stratified, the groups of
// a stratum take sides by the rank of their draws instead of the draws
// themselves, which are about the same: rows that are added move few of the
// others then, and none at all if it is not stratified.
func (p *partition) assign(o *Options) {
	ratios := o.Ratios.shares()
	if !o.Stratify {
		for _, g := range p.groups {
			g.side = sideAt(float64(g.draw)/(1<<64), ratios[0], ratios[0]+ratios[1])
		}
		return
	}
	for _, s := range stratify(p.groups) {
		s.assign(p.groups, ratios)
	}
}

// sideAt is the side of a place on a line that is cut in three.
func sideAt(place, trains, validates float64) int {
	switch {
	case place < trains:
		return 0
	case place < validates:
		return 1
	}
	return 2
}

// stratum is groups that are spread by one weight.
type stratum struct {
	groups []*group
	weight func(*group) int
}

// assign brings the weight of all groups, those of earlier strata included, as
// near to the ratios as this stratum can.
func (s stratum) assign(all []*group, ratios [3]float64) {
	total, given := 0.0, [3]float64{}
	for _, g := range all {
		w := float64(s.weight(g))
		total += w
		if g.side != unassigned {
			given[g.side] += w
		}
	}
	trains := ratios[0]*total - given[0]
	validates := trains + ratios[1]*total - given[1]
	slices.SortStableFunc(s.groups, func(a, b *group) int { return cmp.Compare(a.draw, b.draw) })
	done := 0.0
	for _, g := range s.groups {
		w := float64(s.weight(g))
		g.side = sideAt(done+w/2, trains, validates)
		done += w
	}
}

// stratify parts the groups by the rarest category of which they hold
// positives, the rarest stratum first, those without any last: the order of
// Sechidis et al. (2011).
func stratify(groups []*group) []stratum {
	count := make([]int, len(groups[0].positives))
	for _, g := range groups {
		g.side = unassigned
		for c, n := range g.positives {
			count[c] += n
		}
	}
	order := make([]int, len(count))
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(count[a], count[b]) })
	strata := make([]stratum, len(order)+1)
	for i, c := range order {
		strata[i].weight = func(g *group) int { return g.positives[c] }
	}
	strata[len(order)].weight = func(g *group) int { return len(g.rows) }
	for _, g := range groups {
		at := slices.IndexFunc(order, func(c int) bool { return g.positives[c] > 0 })
		if at < 0 {
			at = len(order)
		}
		strata[at].groups = append(strata[at].groups, g)
	}
	return strata
}

// assignByTime gives every group a side by its latest row, so that no row that
// trains is as late as the first that tests. Without dates the ratios say where
// the cuts lie; groups of one moment stay together. Groups without a time train.
func (p *partition) assignByTime(o *Options) {
	val, test, ok := o.Cuts.times()
	if !ok {
		val, test = p.cuts(o.Ratios.shares())
	}
	for _, g := range p.groups {
		switch {
		case g.latest.IsZero() || g.latest.Before(val):
			g.side = 0
		case g.latest.Before(test):
			g.side = 1
		default:
			g.side = 2
		}
	}
}

// cuts are the moments that part the groups by the ratios.
func (p *partition) cuts(ratios [3]float64) (val, test time.Time) {
	var list []*group
	total, done := 0.0, 0.0
	for _, g := range p.groups {
		total += float64(len(g.rows))
		if g.latest.IsZero() {
			done += float64(len(g.rows)) // they train
		} else {
			list = append(list, g)
		}
	}
	slices.SortStableFunc(list, func(a, b *group) int { return a.latest.Compare(b.latest) })
	for _, g := range list {
		middle := (done + float64(len(g.rows))/2) / total
		if val.IsZero() && middle >= ratios[0] {
			val = g.latest
		}
		if test.IsZero() && middle >= ratios[0]+ratios[1] {
			test = g.latest
		}
		done += float64(len(g.rows))
	}
	return val, test
}
