// Package comparison measures two runs against each other on the rows that both
// measured: the change of F1 by category with a paired bootstrap interval, and the rows
// whose answer turned. comparison.go is what it says, rows.go finds the rows, predictions.go
// compares answers that no run has measured, champion.go a run with the champion, limit.go
// reads the limit at which a change is a failure.
package comparison

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/storage"
)

// Words for a change: an interval that holds 0 is noise.
const (
	Better = "better"
	Worse  = "worse"
	Noise  = "noise"
)

// Comparison says how the second of two runs answers the rows that both measured.
type Comparison struct {
	On   string `json:"on"` // gold or test
	Rows int    `json:"rows"`
	// Apart are rows that only one run measured, Relabelled those whose truth was
	// changed between the two. Neither is compared.
	Apart      int      `json:"apart"`
	Relabelled int      `json:"relabelled"`
	MacroF1    Change   `json:"macro_f1"`
	MicroF1    Change   `json:"micro_f1"`
	Categories []Change `json:"categories"` // in order of name
	// Turned are rows with a category that was answered rightly by one run alone,
	// those that became wrong first.
	Turned []Turn `json:"turned"`
}

// Change is a figure before and after. Its interval has the level 95 %, for all
// categories together: with nine of them one in two comparisons would find a change that
// is none.
type Change struct {
	Name    string `json:"name"`
	Support int    `json:"support"` // positives among the rows
	// Before and After are null where the figure says nothing: with fewer than
	// metrics.MinSupport positives.
	Before *float64         `json:"before"`
	After  *float64         `json:"after"`
	Change float64          `json:"change"`
	CI     metrics.Interval `json:"ci"`
	Word   string           `json:"word"`
}

// Turn is a row whose answer for a category turned from right to wrong or back.
type Turn struct {
	ID       string `json:"id,omitempty"`
	URL      string `json:"url,omitempty"`
	Title    string `json:"title"`
	Category string `json:"category"`
	Truth    bool   `json:"truth"`
	Right    bool   `json:"right"` // now
}

// Runs compares two runs that ended. Nil means that they measured no row in common; why
// tells it to people.
func Runs(ctx context.Context, s *storage.Store, old, now runs.Record) (c *Comparison, why string, err error) {
	before, why, err := predictions(ctx, s, old)
	if err != nil || why != "" {
		return nil, why, err
	}
	after, why, err := predictions(ctx, s, now)
	if err != nil || why != "" {
		return nil, why, err
	}
	p := pairUp(before, after)
	if len(p.truths) == 0 {
		return nil, fmt.Sprintf("the runs measured no row in common: %d rows of %s, %d of %s", len(before), before[0].On, len(after), after[0].On), nil
	}
	return p.compare(), "", nil
}

func (p *pairs) compare() *Comparison {
	reports := []metrics.Report{metrics.Score(p.names, p.truths, p.before, nil), metrics.Score(p.names, p.truths, p.after, nil)}
	b := metrics.NewBootstrap(p.names, p.truths, p.before, p.after)
	counted := 0
	for _, x := range reports[0].PerCategory {
		if x.Support >= metrics.MinSupport {
			counted++
		}
	}
	out := &Comparison{On: p.on, Rows: len(p.truths), Apart: p.apart, Relabelled: p.relabelled, Turned: p.turned()}
	all := b.Changes(1, 0, metrics.Level)
	each := b.Changes(1, 0, 1-(1-metrics.Level)/float64(max(1, counted)))
	support := 0
	for k, name := range p.names {
		x, y := reports[0].PerCategory[name], reports[1].PerCategory[name]
		support += x.Support
		out.Categories = append(out.Categories, newChange(name, x.Support, x.Support >= metrics.MinSupport, x.F1, y.F1, each.F1[k]))
	}
	out.MacroF1 = newChange("macro_f1", support, counted > 0, reports[0].MacroF1, reports[1].MacroF1, all.MacroF1)
	out.MicroF1 = newChange("micro_f1", support, support > 0, reports[0].MicroF1, reports[1].MicroF1, all.MicroF1)
	return out
}

func newChange(name string, support int, known bool, before, after float64, ci metrics.Interval) Change {
	c := Change{Name: name, Support: support, Word: Noise}
	if !known {
		return c
	}
	c.Before, c.After, c.Change, c.CI = &before, &after, metrics.Round(after-before), ci
	switch {
	case ci[0] > 0:
		c.Word = Better
	case ci[1] < 0:
		c.Word = Worse
	}
	return c
}

// turned lists what became wrong and what became right.
func (p *pairs) turned() []Turn {
	out := []Turn{}
	for i, r := range p.rows {
		for k, name := range p.names {
			truth := p.truths[i].Positive[k]
			was, is := p.before[i].Positive[k] == truth, p.after[i].Positive[k] == truth
			if p.truths[i].Known[k] && was != is {
				out = append(out, Turn{ID: r.ID, URL: r.URL, Title: strings.Join(strings.Fields(r.Title), " "), Category: name, Truth: truth, Right: is})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Turn) int { return btoi(a.Right) - btoi(b.Right) })
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Figure returns a change by its name: macro_f1, micro_f1, or a category's.
func (c *Comparison) Figure(name string) (Change, bool) {
	all := map[string]Change{"macro_f1": c.MacroF1, "micro_f1": c.MicroF1}
	for _, x := range c.Categories {
		all["f1."+x.Name] = x
	}
	found, ok := all[name]
	return found, ok
}

// Figures are the names that Figure knows, in order.
func (c *Comparison) Figures() []string {
	names := map[string]bool{"macro_f1": true, "micro_f1": true}
	for _, x := range c.Categories {
		names["f1."+x.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
