package refresh

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/jobs/labels"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/drift"
	"github.com/sprint-ml/sprint/ml/language"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Measure is how far one thing drifted.
type Measure struct {
	Name  string           `json:"name"` // category, category NAME, language, domain, length
	Index metrics.Estimate `json:"index"`
	Alarm bool             `json:"alarm"`
}

// Window is the new window as a result shows it.
type Window struct {
	Rows  int    `json:"rows"`
	Fresh *int   `json:"fresh,omitempty"` // that the champion has not seen; null if nobody knows
	Run   string `json:"run,omitempty"`   // that fetched it
}

// How many rows stand for all: of which answers are asked, and which are counted.
const (
	maxAsked   = 2000
	maxCounted = 20000
	// leastHeld is how many rows that did not train tell what the champion answers on its
	// own data; with fewer all rows do.
	leastHeld = 200
)

// window fetches the new window; nil means that the refresh has ended without one.
func (r *refresh) window(ctx context.Context) ([]rows.Row, error) {
	var out []rows.Row
	r.out.Window = &Window{}
	for _, node := range r.Graph.Nodes {
		if node.Kind.Name != "fetch" {
			continue
		}
		result, err := r.Runner.Run(ctx, node.Name)
		if err != nil {
			return nil, err
		}
		if result.Run != nil {
			r.out.Window.Run = *result.Run
		}
		switch result.Code {
		case stages.CodeDone:
		case stages.CodeSource:
			r.end(NoRows, result.Code, "the new window has too few rows, so the champion stays: %s", result.Error)
			return nil, nil
		default:
			r.end(Failed, failed(result.Code), "the new window could not be fetched: %s", cmp.Or(result.Error, result.Code.Class()))
			return nil, nil
		}
		a, ok := artifactOf(slices.DeleteFunc(slices.Clone(result.Stages), func(st runs.StageResult) bool { return st.Name != node.Name }), "fetch", "articles")
		if !ok {
			return nil, stages.Fail(stages.CodeStage, "", "stage %s made no rows", node.Name)
		}
		part, _, err := labels.Rows(ctx, r.Store, a)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	if r.out.Window.Rows = len(out); len(out) == 0 {
		r.end(NoRows, stages.CodeSource, "the new window has no rows, so the champion stays")
		return nil, nil
	}
	return out, nil
}

// compareWindow measures what the window is beside the champion's training data.
func (r *refresh) compareWindow(ctx context.Context, c *champion, w []rows.Row, f *findings) error {
	if len(c.trained) == 0 {
		return nil
	}
	f.fresh = unseen(c.trained, w)
	r.out.Window.Fresh = &f.fresh
	before, now := spread(c.trained, maxCounted), spread(w, maxCounted)
	likely := slices.Sorted(maps.Keys(counts(spread(before, maxAsked), func(x rows.Row) string { return language.Of(x.Language, x.Title, x.Description, nil) })))
	likely = slices.DeleteFunc(likely, func(code string) bool { return code == "" })
	for _, m := range []struct {
		name string
		of   func(rows.Row) string
	}{
		{"language", func(x rows.Row) string { return language.Of(x.Language, x.Title, x.Description, likely) }},
		{"domain", domain},
		{"length", lengths(before)},
	} {
		r.measure(m.name, counts(before, m.of), counts(now, m.of))
	}
	if err := r.askWindow(ctx, c, w, f); err != nil {
		return err
	}
	f.measures = r.out.Drift
	return nil
}

// askWindow has the champion answer on rows of its training data, of the window and of the
// gold set, which says what its scores are worth.
func (r *refresh) askWindow(ctx context.Context, c *champion, w []rows.Row, f *findings) error {
	held := c.held
	if len(held) < leastHeld {
		held = c.trained
	}
	gold, err := r.gold()
	if err != nil {
		return err
	}
	held, w = spread(held, maxAsked), spread(w, maxAsked)
	a, err := r.Answerer.Answer(ctx, c.release, slices.Concat(held, w, gold))
	if err != nil {
		return err
	}
	n, m := len(held), len(held)+len(w)
	before, now := a.part(0, n), a.part(n, m)
	r.measure("category", before.labels(), now.labels())
	for k, name := range a.Categories {
		r.measure("category "+name, before.present(k), now.present(k))
	}
	calibrated := calibrations(r.taxonomy.Names(), gold, a.part(m, len(a.Score)))
	if calibrated == nil {
		r.note("the gold set has too few rows to calibrate the champion's scores: F1 is not estimated without labels")
		return nil
	}
	trained, window := expected(before, calibrated), expected(now, calibrated)
	f.trained, f.now = &trained, &window
	r.out.Expected = &ExpectedF1{Training: trained, Window: window}
	return nil
}

// measure notes how far counts by class moved.
func (r *refresh) measure(name string, before, now map[string]int) {
	p, q := classes(before, now)
	m := Measure{Name: name, Index: drift.Index(p, q)}
	m.Alarm = r.rules.Drift > 0 && m.Index.CI[0] >= r.rules.Drift
	r.out.Drift = append(r.out.Drift, m)
}

// maxClasses is how many classes are counted each on its own; the others are one.
const maxClasses = 20

// classes are the counts of the most frequent classes of before, and last of all others.
func classes(before, now map[string]int) (p, q []int) {
	names := slices.SortedFunc(maps.Keys(before), func(a, b string) int { return cmp.Or(cmp.Compare(before[b], before[a]), cmp.Compare(a, b)) })
	names = names[:min(len(names), maxClasses)]
	otherP, otherQ := 0, 0
	for name, n := range before {
		if !slices.Contains(names, name) {
			otherP += n
		}
	}
	for name, n := range now {
		if !slices.Contains(names, name) {
			otherQ += n
		}
	}
	for _, name := range names {
		p, q = append(p, before[name]), append(q, now[name])
	}
	return append(p, otherP), append(q, otherQ)
}

func counts(of []rows.Row, class func(rows.Row) string) map[string]int {
	out := map[string]int{}
	for _, x := range of {
		out[class(x)]++
	}
	return out
}

// spread takes evenly spread rows of many.
func spread(of []rows.Row, most int) []rows.Row {
	if len(of) <= most {
		return of
	}
	out := make([]rows.Row, most)
	for i := range out {
		out[i] = of[i*len(of)/most]
	}
	return out
}

// domain is who published a row: the host of its url, else its source.
func domain(x rows.Row) string {
	if u, err := url.Parse(x.URL); err == nil && u.Hostname() != "" {
		return strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	}
	return strings.ToLower(x.Source)
}

// lengths are five classes of how long a text is, alike in size on the rows given.
func lengths(of []rows.Row) func(rows.Row) string {
	length := func(x rows.Row) int { return utf8.RuneCountInString(x.Title) + utf8.RuneCountInString(x.Description) }
	all := make([]int, len(of))
	for i, x := range of {
		all[i] = length(x)
	}
	slices.Sort(all)
	var limits []int
	for i := 1; i < 5; i++ {
		limits = append(limits, all[i*len(all)/5])
	}
	return func(x rows.Row) string { return string(rune('a' + sort.SearchInts(limits, length(x)))) }
}

// unseen counts the rows of a window that are none of others, by identity.
func unseen(of, window []rows.Row) (n int) {
	seen := map[string]bool{}
	for _, x := range of {
		seen[rows.Identity(x)] = true
	}
	for _, x := range window {
		if id := rows.Identity(x); id == "" || !seen[id] {
			n++
		}
	}
	return n
}
