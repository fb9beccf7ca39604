package draft

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"math"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/titles"
)

// Of a gold part.
const (
	mostGold   = 400
	goldOfEach = 8 // as many as verify wants to count a category in the macro average
	fewestGold = 10
)

// story is rows that are one, or nearly: they go into the gold part together or not at all.
type story struct {
	rows []int
	draw uint64
}

// setGoldAside chooses the gold part: a share of each category, the same whenever the table
// is the same.
func (p *problem) setGoldAside() {
	p.gold = make([]bool, len(p.rows))
	if p.labels == nil || p.o.Gold == 0 {
		return
	}
	classes := p.classes()
	counts, labelled := make([]int, len(p.labels.names)+1), 0
	for i := range p.rows {
		if p.rows[i].labelled {
			labelled++
		}
		for _, c := range classes[i] {
			counts[c]++
		}
	}
	share := p.o.Gold
	if most := float64(mostGold) / float64(max(labelled, 1)); share > most {
		share = most
	}
	want, have := make([]int, len(counts)), make([]int, len(counts))
	order := make([]int, len(counts))
	for c, n := range counts {
		want[c] = min(max(goldOfEach, int(math.Round(share*float64(n)))), n/2)
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return counts[a] - counts[b] }) // the rare ones choose first
	stories := p.stories()
	taken := make([]bool, len(stories))
	for _, c := range order {
		for s, of := range stories {
			if have[c] >= want[c] {
				break
			}
			if !taken[s] && p.fits(of, c, classes, want, have, counts) {
				taken[s] = true
				p.take(of, classes, have)
			}
		}
	}
}

// classes are the categories of each labelled row; the last class is that of no category.
func (p *problem) classes() [][]int {
	out := make([][]int, len(p.rows))
	for i := range p.rows {
		switch r := &p.rows[i]; {
		case !r.labelled:
		case len(r.categories) == 0:
			out[i] = []int{len(p.labels.names)}
		default:
			out[i] = r.categories
		}
	}
	return out
}

// fits reports whether a story has rows of a class, is not most of what is wanted of it,
// and leaves half of every class to the training.
func (p *problem) fits(of story, class int, classes [][]int, want, have, counts []int) bool {
	add := make([]int, len(counts))
	for _, i := range of.rows {
		for _, c := range classes[i] {
			add[c]++
		}
	}
	if add[class] == 0 || add[class] > max(1, want[class]/3) {
		return false
	}
	for c, n := range add {
		if n > 0 && have[c]+n > max(want[c], counts[c]/2) {
			return false
		}
	}
	return true
}

// take puts a story into the gold part: of equal titles the first.
func (p *problem) take(of story, classes [][]int, have []int) {
	seen := map[string]bool{}
	for _, i := range of.rows {
		key := rows.TitleKey(p.rows[i].title)
		if !p.rows[i].labelled || seen[key] {
			continue
		}
		seen[key], p.gold[i] = true, true
		for _, c := range classes[i] {
			have[c]++
		}
	}
}

// stories groups rows as split does, by url, id, title and similarity. Their order is drawn.
func (p *problem) stories() []story {
	texts := make([]string, len(p.rows))
	for i := range p.rows {
		texts[i] = titles.Normalize(p.rows[i].title)
	}
	union := dedup.NewDisjointSets(len(p.rows))
	first := map[string]int{}
	join := func(key string, i int) {
		if at, ok := first[key]; ok {
			union.Union(at, i)
			return
		}
		first[key] = i
	}
	byGroup := map[int]int{}
	for i, g := range dedup.Groups(texts) {
		if at, ok := byGroup[g]; ok {
			union.Union(at, i)
		} else {
			byGroup[g] = i
		}
		if r := &p.rows[i]; r.url != "" {
			join("url:"+r.url, i)
		}
		if r := &p.rows[i]; r.id != "" {
			join("id:"+r.id, i)
		}
	}
	var out []story
	for i, n := range union.Numbers() {
		if n == len(out) {
			sum := sha256.Sum256([]byte("gold of a draft " + rows.TitleKey(texts[i])))
			out = append(out, story{draw: binary.BigEndian.Uint64(sum[:])})
		}
		out[n].rows = append(out[n].rows, i)
	}
	slices.SortStableFunc(out, func(a, b story) int { return cmp.Compare(a.draw, b.draw) })
	return out
}

// goldRows counts the gold part.
func (p *problem) goldRows() int {
	n := 0
	for _, g := range p.gold {
		if g {
			n++
		}
	}
	return n
}

// hasGold reports whether the gold part is large enough to measure on.
func (p *problem) hasGold() bool { return p.goldRows() >= fewestGold }

// trains reports whether a row may train or suggest words.
func (p *problem) trains(i int) bool { return p.rows[i].labelled && !p.gold[i] }

// goldFile is the gold part as csv.
func (p *problem) goldFile() ([]byte, error) {
	var head []string
	fields := []struct {
		name string
		used bool
		of   func(*text) string
	}{
		{"id", p.columns.id >= 0, func(r *text) string { return r.id }},
		{"url", p.columns.url >= 0, func(r *text) string { return r.url }},
		{"title", true, func(r *text) string { return r.title }},
		{"description", p.columns.description >= 0, func(r *text) string { return r.description }},
	}
	for _, f := range fields {
		if f.used {
			head = append(head, f.name)
		}
	}
	if p.columns.bits {
		for c, name := range p.labels.names {
			head = append(head, name)
			if len(p.labels.tags[c]) > 0 {
				head = append(head, name+"_tag")
			}
		}
	} else {
		head = append(head, "label")
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	records := [][]string{head}
	for i := range p.rows {
		if !p.gold[i] {
			continue
		}
		var rec []string
		for _, f := range fields {
			if f.used {
				rec = append(rec, strings.ToValidUTF8(f.of(&p.rows[i]), "\uFFFD"))
			}
		}
		records = append(records, append(rec, p.goldLabels(&p.rows[i])...))
	}
	err := w.WriteAll(records)
	return b.Bytes(), err
}

// goldLabels are the cells of a row's labels.
func (p *problem) goldLabels(r *text) []string {
	if p.columns.bits {
		var out []string
		for c := range p.labels.names {
			value := "0"
			if slices.Contains(r.categories, c) {
				value = "1"
			}
			out = append(out, value)
			if len(p.labels.tags[c]) > 0 {
				out = append(out, r.tags[c])
			}
		}
		return out
	}
	var names []string
	for _, c := range r.categories {
		names = append(names, p.labels.names[c])
	}
	return []string{cmp.Or(strings.Join(names, cmp.Or(p.labels.separator, ";")), rows.None)}
}
