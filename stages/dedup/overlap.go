package dedup

import "github.com/sprint-ml/sprint/stages/rows"

// RemoveOverlap returns the rows that do not meet those of other, by url, id, title or
// near-duplicate group, and how many do.
func RemoveOverlap(set, other []rows.Row) (rest []rows.Row, met int) {
	near := Groups(rows.Titles(set, other))
	groups, names := map[int]bool{}, map[string]bool{}
	for i, r := range other {
		groups[near[len(set)+i]] = true
		names["url:"+r.URL], names["id:"+r.ID] = r.URL != "", r.ID != ""
	}
	for i, r := range set {
		if groups[near[i]] || names["url:"+r.URL] || names["id:"+r.ID] {
			met++
			continue
		}
		rest = append(rest, r)
	}
	return rest, met
}
