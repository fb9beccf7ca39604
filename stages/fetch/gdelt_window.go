package fetch

import (
	"fmt"
	"net/url"
	"slices"
	"time"
)

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
