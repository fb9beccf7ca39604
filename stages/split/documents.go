package split

import (
	"slices"
	"time"

	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Report is the content of split_report.json.
type Report struct {
	Rows int `json:"rows"` // that came in
	// By says how sides were chosen: draw, or time.
	By    string `json:"by"`
	Sides []Side `json:"sides"` // train, val, test
	// Groups of rows that stay together.
	Groups   int     `json:"groups"`
	Repeated int     `json:"repeated"` // groups of more than one row
	Largest  []Group `json:"largest"`
	// Undated rows have no time; UndatedDropped of them were left out for it.
	Undated        int `json:"undated"`
	UndatedDropped int `json:"undated_dropped"`
	// Leaks are rows that meet rows of the gold set or of another side: dropped
	// ones first, then what was kept.
	Leaks []Leak `json:"leaks"`
	// Truncated says that there were more pairs of kind close than are counted.
	Truncated bool `json:"truncated,omitempty"`
}

// Side is what one side holds.
type Side struct {
	Name      string         `json:"name"`
	Rows      int            `json:"rows"`
	Groups    int            `json:"groups"`
	Positives map[string]int `json:"positives"` // by category
	// First and Last are the earliest and latest time of a row, in RFC 3339;
	// empty if none has one.
	First string `json:"first,omitempty"`
	Last  string `json:"last,omitempty"`
}

// Group is one of the largest groups, with some of its titles.
type Group struct {
	Rows   int      `json:"rows"`
	Side   string   `json:"side"`
	Titles []string `json:"titles"`
}

// Leak is rows of one set that meet those of another for the same reason.
type Leak struct {
	// Between names the two sets: rows, train, val, test or gold.
	Between [2]string `json:"between"`
	// By is url, id, title, near (at least the similarity that the plan demands,
	// or linked by such pairs) or close (nearly so).
	By string `json:"by"`
	// Rows of the first set that meet one of the second; of close, pairs.
	Rows    int  `json:"rows"`
	Dropped bool `json:"dropped"`
	// Examples are some of them.
	Examples []Example `json:"examples"`
}

// Example is two rows that meet.
type Example struct {
	Title      string  `json:"title"`
	Other      string  `json:"other"`
	URL        string  `json:"url,omitempty"`
	OtherURL   string  `json:"other_url,omitempty"`
	Similarity float64 `json:"similarity"` // Jaccard, of four-letter shingles
}

const (
	maxExamples = 10 // examples of a leak
	maxGroups   = 10
	maxTitles   = 5
)

func example(a, b *rows.Row) Example {
	return Example{Title: a.Title, Other: b.Title, URL: a.URL, OtherURL: b.URL, Similarity: round(dedup.Similarity(a.Title, b.Title))}
}

func round(x float64) float64 { return float64(int(x*1000+0.5)) / 1000 }

// report describes the partition once sides are assigned.
func (p *partition) report(o *Options, cats []string) *Report {
	r := &Report{Rows: len(p.all), By: "draw", Groups: len(p.groups), Leaks: p.dropped}
	if o.ByTime {
		r.By = "time"
	}
	for s, name := range sideNames {
		r.Sides = append(r.Sides, p.side(s, name, cats))
	}
	list := slices.Clone(p.groups)
	slices.SortStableFunc(list, func(a, b *group) int { return len(b.rows) - len(a.rows) })
	for i, g := range list {
		if len(g.rows) < 2 {
			break
		}
		r.Repeated++
		if i < maxGroups {
			x := Group{Rows: len(g.rows), Side: sideNames[g.side]}
			for _, row := range g.rows[:min(len(g.rows), maxTitles)] {
				x.Titles = append(x.Titles, p.all[row].Title)
			}
			r.Largest = append(r.Largest, x)
		}
	}
	for i := range p.all {
		if p.times[i].IsZero() {
			r.Undated++
			if p.groupOf[i] == undated {
				r.UndatedDropped++
			}
		}
	}
	r.Leaks = append(r.Leaks, p.leaks()...)
	r.Truncated = p.duplicates.Truncated
	return r
}

func (p *partition) side(s int, name string, cats []string) Side {
	out := Side{Name: name, Positives: map[string]int{}}
	for _, c := range cats {
		out.Positives[c] = 0
	}
	var seen []time.Time
	for _, g := range p.groups {
		if g.side != s {
			continue
		}
		out.Groups++
		out.Rows += len(g.rows)
		for c, n := range g.positives {
			out.Positives[cats[c]] += n
		}
		for _, i := range g.rows {
			if !p.times[i].IsZero() {
				seen = append(seen, p.times[i])
			}
		}
	}
	if len(seen) > 0 {
		out.First = slices.MinFunc(seen, time.Time.Compare).Format(time.RFC3339)
		out.Last = slices.MaxFunc(seen, time.Time.Compare).Format(time.RFC3339)
	}
	return out
}
