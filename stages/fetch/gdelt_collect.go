package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/table"
	"github.com/sprint-ml/sprint/stages/rows/titles"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// counts is what the source gave, for the log and the manifest.
type counts struct {
	Asked   int `json:"asked"` // rows wanted
	Got     int `json:"got"`   // rows kept before dropping duplicates
	Windows int `json:"windows"`
	Missing int `json:"missing_windows"`
	CutOff  int `json:"cut_off_windows"` // full at the shortest span
	Capped  int `json:"capped_by_domain"`
	Mended  int `json:"mended_characters"`
	Resumed int `json:"resumed_windows"`
}

// article is a row of GDELT's answer.
type article struct {
	URL      string `json:"url"`
	Title    string `json:"title"`
	SeenDate string `json:"seendate"`
	Domain   string `json:"domain"`
	Language string `json:"language"`
}

// collection is the asking of one attempt.
type collection struct {
	g      *GDELT
	env    stages.Env
	client *client
	pages  *pageCache

	table     *rows.Table
	counts    counts
	perDomain map[string]int
	titles    map[string]bool
}

// gdelt asks window by window, newest first, until it has enough rows.
func (s *stage) gdelt(ctx context.Context, raw stages.TreeWriter) (*rows.Table, error) {
	g := &s.o.GDELT
	since, until, err := s.span()
	if err != nil {
		return nil, err
	}
	pages, err := openPageCache(ctx, s.env)
	if err != nil {
		return nil, err
	}
	if s.env.Offline {
		s.env.Log.Info("offline: only windows kept before are used")
	}
	c := &collection{g: g, env: s.env, client: newClient(s.env, s.pacer), pages: pages, table: &rows.Table{}, perDomain: map[string]int{}, titles: map[string]bool{}}
	c.counts = counts{Asked: g.Rows, Resumed: pages.resumed}
	for todo := spans(since, until, g.Window); len(todo) > 0 && len(c.table.Rows) < g.Rows; {
		smaller, err := c.collect(ctx, todo[0], raw)
		if err != nil {
			return nil, err
		}
		todo = slices.Concat(smaller, todo[1:])
	}
	return c.table, c.finish()
}

// collect adds the rows of a window. A full page was cut off: the window's parts
// are returned, to be asked for instead.
func (c *collection) collect(ctx context.Context, w window, raw stages.TreeWriter) (smaller []window, err error) {
	body, err := c.pages.get(ctx, w, func() ([]byte, error) { return c.client.get(ctx, c.g.address(w)) })
	var passing *passingError
	switch {
	case errors.As(err, &passing): // the tries are used up
		c.counts.Windows++
		c.counts.Missing++
		c.env.Log.Warn("window is missing", slog.String("window", w.name()), slog.String("error", err.Error()))
		return nil, nil
	case err != nil:
		return nil, err
	}
	list, mended, err := parsePage(body)
	if err != nil {
		return nil, err
	}
	if len(list) >= pageRows {
		if parts, ok := w.halves(); ok {
			return parts, nil
		}
		c.counts.CutOff++
	}
	c.counts.Windows++
	c.counts.Mended += mended
	if err := storeio.AddFile(raw, w.name()+pageSuffix, c.pages.path(w)); err != nil {
		return nil, err
	}
	for _, a := range list {
		if len(c.table.Rows) >= c.g.Rows {
			break
		}
		c.add(a)
	}
	c.env.Progress(stages.Progress{Done: int64(len(c.table.Rows)), Total: int64(c.g.Rows), Unit: "rows", Text: w.from.Format(day)})
	return nil, nil
}

// add takes an article unless its title is there or its outlet has had its share.
func (c *collection) add(a article) {
	c.table.Stats.Read++
	title := titles.Normalize(a.Title)
	if title == "" {
		c.table.Stats.NoTitle++
		return
	}
	key := rows.TitleKey(title)
	if c.titles[key] {
		return
	}
	if limit := c.g.MaxPerDomain; limit > 0 && c.perDomain[a.Domain] >= limit {
		c.counts.Capped++
		return
	}
	c.titles[key] = true
	c.perDomain[a.Domain]++
	c.table.Rows = append(c.table.Rows, rows.Row{Title: title, TitleRaw: a.Title, URL: a.URL, Source: a.Domain, SeenAt: a.SeenDate, Language: a.Language})
}

// finish notes the counts and refuses a range of which too much is missing.
func (c *collection) finish() error {
	n := &c.counts
	n.Got = len(c.table.Rows)
	c.env.Note("yield", *n)
	c.env.Log.Info("gdelt", slog.Int("asked", n.Asked), slog.Int("got", n.Got), slog.Int("windows", n.Windows), slog.Int("missing_windows", n.Missing), slog.Int("capped_by_domain", n.Capped))
	if float64(n.Missing) > c.g.MaxMissing*float64(max(n.Windows, 1)) {
		return stages.Lose(stages.CodeEnvironment, "Run the same command again later: finished windows are kept.", "GDELT did not answer for %d of %d windows", n.Missing, n.Windows)
	}
	return nil
}

// span is the closed range of time that resolve found.
func (s *stage) span() (since, until time.Time, err error) {
	for name, t := range map[string]*time.Time{"since": &since, "until": &until} {
		text, _ := s.env.External[name].(string)
		if *t, err = time.Parse(gdeltTime, text); err != nil {
			return since, until, fmt.Errorf("resolved %s: %w", name, err)
		}
	}
	return since, until, nil
}

// parsePage reads an answer that classify accepted. `{}` means no hits.
func parsePage(body []byte) (list []article, mended int, err error) {
	clean, mended := table.RepairJSON([]byte(strings.ToValidUTF8(string(body), "\uFFFD")))
	var page struct {
		Articles []article `json:"articles"`
	}
	if err := json.Unmarshal(clean, &page); err != nil {
		return nil, mended, fmt.Errorf("GDELT's answer is not JSON: %w: %.120q", err, clean)
	}
	return page.Articles, mended, nil
}

// window is a half-open span of time.
type window struct{ from, to time.Time }

func (w window) name() string { return w.from.Format(gdeltTime) + "-" + w.to.Format(gdeltTime) }

// pageRows is the most that GDELT gives for one request; a page with as many
// was cut off.
const pageRows = 250

// minWindow is the smallest span that GDELT takes.
const minWindow = time.Hour

// spans parts [since, until) into half-open spans, newest first.
func spans(since, until time.Time, length time.Duration) []window {
	var out []window
	for from := since; from.Before(until); from = from.Add(length) {
		to := from.Add(length)
		if to.After(until) {
			to = until
		}
		out = append(out, window{from, to})
	}
	slices.Reverse(out)
	return out
}

// halves parts a window in two, newest first; ok is false if the parts would be
// shorter than GDELT takes.
func (w window) halves() (parts []window, ok bool) {
	half := w.to.Sub(w.from) / 2
	if half < minWindow {
		return nil, false
	}
	middle := w.from.Add(half).Truncate(time.Second)
	return []window{{middle, w.to}, {w.from, middle}}, true
}

// address is the request of a window. GDELT includes both ends, so the last
// second belongs to the next window.
func (g *GDELT) address(w window) string {
	v := url.Values{
		"query": {g.query()}, "mode": {"artlist"}, "format": {"json"}, "sort": {"datedesc"},
		"maxrecords":    {fmt.Sprint(pageRows)},
		"startdatetime": {w.from.Format(gdeltTime)}, "enddatetime": {w.to.Add(-time.Second).Format(gdeltTime)},
	}
	return g.Endpoint + "?" + v.Encode()
}
