package metrics

import "math"

// PSI is the population stability index of two counts over the same classes:
// the sum of (q-p) ln(q/p) over their shares. Half a row is added to each class,
// so that an empty one is finite. Below 0.1 is no drift, above 0.25 a large one.
// Without rows on a side it is 0.
func PSI(before, now []int) float64 {
	sum := func(counts []int) (n float64) {
		for _, c := range counts {
			n += float64(c)
		}
		return n
	}
	p, q := sum(before), sum(now)
	if p == 0 || q == 0 {
		return 0
	}
	half := 0.5 * float64(len(before))
	out := 0.0
	for i := range before {
		a, b := (float64(before[i])+0.5)/(p+half), (float64(now[i])+0.5)/(q+half)
		out += (b - a) * math.Log(b/a)
	}
	return Round(out)
}

// Confusion counts answered tags by true tag over the rows where a category is
// present and a tag is known: out[true][answered], both as indices into tags.
// What is no tag of the category is left out.
func Confusion(tags []string, category int, truths []Truth, answers []Answer) [][]int {
	place := make(map[string]int, len(tags))
	out := make([][]int, len(tags))
	for i, t := range tags {
		place[t], out[i] = i, make([]int, len(tags))
	}
	for i, t := range truths {
		if !t.known(category) || !t.Positive[category] || t.Tags == nil || answers[i].Tags == nil {
			continue
		}
		row, isTag := place[t.Tags[category]]
		column, known := place[answers[i].Tags[category]]
		if isTag && known {
			out[row][column]++
		}
	}
	return out
}
