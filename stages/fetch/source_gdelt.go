package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/rows/table"
)

// GDELT are the options of the source gdelt: GDELT's DOC 2.0 API.
type GDELT struct {
	Query        string        `yaml:"query" doc:"GDELT query, for example: sourcecountry:SW sourcelang:swedish (FIPS country codes: Sweden is SW)"`
	Countries    []string      `yaml:"countries" doc:"FIPS country codes of the sources, joined by OR"`
	Languages    []string      `yaml:"languages" doc:"languages of the sources, joined by OR"`
	Since        string        `yaml:"since" doc:"first day, 2006-01-02; empty counts days back from until"`
	Days         int           `yaml:"days" default:"7" min:"1" max:"90" doc:"length of the range if since is empty; GDELT keeps three months"`
	Until        string        `yaml:"until" default:"now" doc:"first day that is out, 2006-01-02, or now: the last closed window"`
	Window       time.Duration `yaml:"window" default:"6h" min:"1h" doc:"length of one request's window; full ones are halved"`
	Rows         int           `yaml:"rows" default:"1000" min:"1" doc:"stop after this many distinct rows"`
	MaxPerDomain int           `yaml:"max_per_domain" default:"0" min:"0" doc:"most rows of one outlet; 0 for no cap"`
	MaxMissing   float64       `yaml:"max_missing" default:"0.1" min:"0" max:"1" doc:"share of windows that may fail for good"`
	Endpoint     string        `yaml:"endpoint" default:"https://api.gdeltproject.org/api/v2/doc/doc" key:"-" doc:"address of the API"`
	Pace         time.Duration `yaml:"pace" default:"5s" key:"-" doc:"least time between two requests of this machine"`
}

const day = "2006-01-02"

// gdeltTime is GDELT's form of a time, UTC.
const gdeltTime = "20060102150405"

func (g *GDELT) check() []stages.Problem {
	var out []stages.Problem
	q := g.query()
	switch {
	case q == "":
		out = append(out, problem("gdelt.query", "For example sourcecountry:SW sourcelang:swedish.", "no query, countries or languages given"))
	case len(q) > 250:
		out = append(out, problem("gdelt.query", "Ask in two stages, or drop terms.", "the query has %d characters, GDELT takes about 250", len(q)))
	}
	if g.Until != "now" {
		if _, err := time.Parse(day, g.Until); err != nil {
			out = append(out, problem("gdelt.until", "Use 2006-01-02 or now.", "%q is no date", g.Until))
		}
	}
	if g.Since != "" {
		since, err := time.Parse(day, g.Since)
		if err != nil {
			out = append(out, problem("gdelt.since", "Use 2006-01-02.", "%q is no date", g.Since))
		} else if until, err := time.Parse(day, g.Until); err == nil && !since.Before(until) {
			out = append(out, problem("gdelt.since", "Choose an earlier day.", "since is not before until"))
		}
	}
	return out
}

// query joins the parts; GDELT wants OR'd terms, and only those, in brackets.
func (g *GDELT) query() string {
	parts := []string{}
	if q := strings.TrimSpace(g.Query); q != "" {
		parts = append(parts, q)
	}
	for _, l := range []struct {
		field  string
		values []string
	}{{"sourcecountry:", g.Countries}, {"sourcelang:", g.Languages}} {
		var terms []string
		for _, v := range l.values {
			terms = append(terms, l.field+v)
		}
		switch len(terms) {
		case 0:
		case 1:
			parts = append(parts, terms[0])
		default:
			parts = append(parts, "("+strings.Join(terms, " OR ")+")")
		}
	}
	return strings.Join(parts, " ")
}

// resolve turns since, days and until into two closed times.
func (g *GDELT) resolve(look stages.Lookup) (stages.External, error) {
	until := look.Now().UTC().Truncate(g.Window)
	if g.Until != "now" {
		t, err := time.Parse(day, g.Until)
		if err != nil {
			return nil, err
		}
		until = t
		if until.After(look.Now()) {
			return nil, stages.Fail(stages.CodePlan, "Use a day in the past, or now.", "gdelt.until %s lies in the future: a window that is still open gives other rows tomorrow", g.Until)
		}
	}
	since := until.AddDate(0, 0, -g.Days)
	if g.Since != "" {
		t, err := time.Parse(day, g.Since)
		if err != nil {
			return nil, err
		}
		since = t
	}
	if !since.Before(until) {
		return nil, stages.Fail(stages.CodePlan, "Choose an earlier day.", "gdelt.since %s is not before the last closed window %s", g.Since, until.Format(time.RFC3339))
	}
	return stages.External{"since": since.Format(gdeltTime), "until": until.Format(gdeltTime)}, nil
}

// window is a half-open span of time.
type window struct{ from, to time.Time }

func (w window) name() string { return w.from.Format(gdeltTime) + "-" + w.to.Format(gdeltTime) }

// pageRows is the most that GDELT gives for one request; a page with as many
// was cut off.
const pageRows = 250

// minWindow is the smallest span that GDELT takes.
const minWindow = time.Hour

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
	client := newClient(s.env, g.Pace)
	if s.timing != nil {
		s.timing(client.clock)
	}
	y := counts{Asked: g.Rows}
	y.Resumed = len(pages.have)
	table := &rows.Table{}
	perDomain := map[string]int{}
	seen := map[string]bool{}
	todo := spans(since, until, g.Window)
	for len(todo) > 0 && len(table.Rows) < g.Rows {
		w := todo[0]
		todo = todo[1:]
		body, err := pages.get(ctx, w, func() ([]byte, error) { return client.get(ctx, g.address(w)) })
		var gone *missingError
		switch {
		case asMissing(err, &gone):
			y.Windows++
			y.Missing++
			s.env.Log.Warn("window is missing", slog.String("window", w.name()), slog.String("error", gone.Error()))
			continue
		case err != nil:
			return nil, err
		}
		list, mended, err := parsePage(body)
		if err != nil {
			return nil, err
		}
		if half := w.to.Sub(w.from) / 2; len(list) >= pageRows && half >= minWindow {
			mid := w.from.Add(half).Truncate(time.Second)
			todo = slices.Concat([]window{{mid, w.to}, {w.from, mid}}, todo)
			continue
		}
		if len(list) >= pageRows {
			y.CutOff++
		}
		y.Windows++
		y.Mended += mended
		if err := pages.write(raw, w); err != nil {
			return nil, err
		}
		for _, a := range list {
			if len(table.Rows) >= g.Rows {
				break
			}
			s.take(table, a, perDomain, seen, &y)
		}
		s.env.Progress(stages.Progress{Done: int64(len(table.Rows)), Total: int64(g.Rows), Unit: "rows", Text: w.from.Format(day)})
	}
	y.Got = len(table.Rows)
	s.env.Note("yield", y)
	s.env.Log.Info("gdelt", slog.Int("asked", y.Asked), slog.Int("got", y.Got), slog.Int("windows", y.Windows), slog.Int("missing_windows", y.Missing), slog.Int("capped_by_domain", y.Capped))
	if float64(y.Missing) > g.MaxMissing*float64(max(y.Windows, 1)) {
		return nil, stages.Lose(stages.CodeEnvironment, "Run the same command again later: finished windows are kept.", "GDELT did not answer for %d of %d windows", y.Missing, y.Windows)
	}
	return table, nil
}

// take adds an article unless its outlet has had its share.
func (s *stage) take(table *rows.Table, a article, perDomain map[string]int, seen map[string]bool, y *counts) {
	table.Stats.Read++
	title := rows.NormalizeTitle(a.Title)
	if title == "" {
		table.Stats.NoTitle++
		return
	}
	key := rows.TitleKey(title)
	if !seen[key] {
		if limit := s.o.GDELT.MaxPerDomain; limit > 0 && perDomain[a.Domain] >= limit {
			y.Capped++
			return
		}
		seen[key] = true
		perDomain[a.Domain]++
		table.Rows = append(table.Rows, rows.Row{Title: title, TitleRaw: a.Title, URL: a.URL, Source: a.Domain, SeenAt: a.SeenDate, Language: a.Language})
	}
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

// userAgent names us: asks without a User-Agent are throttled more.
const userAgent = "sprint (news classifier training; https://github.com/sprint-ml/sprint)"
