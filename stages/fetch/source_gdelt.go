package fetch

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/stages"
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
	Pace         time.Duration `yaml:"pace" default:"5s" min:"0s" key:"-" doc:"least time between two requests of this machine"`
}

const day = "2006-01-02"

// gdeltTime is GDELT's form of a time, UTC.
const gdeltTime = "20060102150405"

func (g *GDELT) check() []stages.Problem {
	var out stages.Problems
	q := g.query()
	out.If(q == "",
		"gdelt.query", "for example sourcecountry:SW sourcelang:swedish", "no query, countries or languages given")
	out.If(len(q) > 250,
		"gdelt.query", "ask in two stages, or drop terms", "the query has %d characters, GDELT takes about 250", len(q))
	endpoint, noURL := url.Parse(g.Endpoint)
	out.If(noURL != nil || endpoint.User != nil,
		"gdelt.endpoint", "GDELT takes no key; a proxy's is part of HTTPS_PROXY", "the address holds a user or a password, or is none")
	until, noUntil := time.Parse(day, g.Until)
	out.If(g.Until != "now" && noUntil != nil, "gdelt.until", "use 2006-01-02 or now", "%q is no date", g.Until)
	if g.Since != "" {
		since, err := time.Parse(day, g.Since)
		out.If(err != nil, "gdelt.since", "use 2006-01-02", "%q is no date", g.Since)
		out.If(err == nil && noUntil == nil && !since.Before(until),
			"gdelt.since", "choose an earlier day", "since is not before until")
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
		terms := l.field + strings.Join(l.values, " OR "+l.field)
		switch len(l.values) {
		case 0:
		case 1:
			parts = append(parts, terms)
		default:
			parts = append(parts, "("+terms+")")
		}
	}
	return strings.Join(parts, " ")
}

// resolve turns since, days and until into two closed times.
func (g *GDELT) resolve(lookup stages.Lookup) (stages.External, error) {
	since, until, err := g.closed(lookup.Now())
	if err != nil {
		return nil, err
	}
	return stages.External{"since": since.Format(gdeltTime), "until": until.Format(gdeltTime)}, nil
}

// closed returns the times that are asked for, of which none is open at now.
func (g *GDELT) closed(now time.Time) (since, until time.Time, err error) {
	until, err = time.Parse(day, g.Until)
	switch {
	case g.Until == "now":
		until = now.UTC().Truncate(g.Window)
	case err != nil:
		return since, until, err
	case until.After(now):
		return since, until, stages.Fail(stages.CodePlan, "use a day in the past, or now", "gdelt.until %s lies in the future: a window that is still open gives other rows tomorrow", g.Until)
	}
	since, err = time.Parse(day, g.Since)
	if g.Since == "" {
		since = until.AddDate(0, 0, -g.Days)
	} else if err != nil {
		return since, until, err
	}
	if !since.Before(until) {
		return since, until, stages.Fail(stages.CodePlan, "choose an earlier day", "gdelt.since %s is not before the last closed window %s", g.Since, until.Format(time.RFC3339))
	}
	return since, until, nil
}

// collectGDELT collects the rows of the source.
func (s *stage) collectGDELT(ctx context.Context, raw stages.TreeWriter, c *collector) error {
	table, err := s.gdelt(ctx, raw)
	if err != nil {
		return err
	}
	c.stats = table.Stats
	for i := range table.Rows {
		if err := c.add(&table.Rows[i], nil); err != nil {
			return err
		}
	}
	return nil
}
