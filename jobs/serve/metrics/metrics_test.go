package metrics

import (
	"strings"
	"sync"
	"testing"
)

// TestWrite: the text is that of Prometheus' format, version 0.0.4.
func TestWrite(t *testing.T) {
	var s Set
	plain := s.Counter("plain_total", "Never counted.")
	by := s.Counter("by_total", "By two\nlabels, with a \\.", "a", "b")
	h := s.Histogram("h_seconds", "Ranges.", []float64{0.5, 1}, "a")
	s.Gauge("g", "Read when asked.", []string{"x"}, func(set func(float64, ...string)) { set(-1.5, `q"\`+"\n"); set(0, "\xff") })
	by.Add(2, "x", "y")
	by.Add(0.5, "x", "y")
	h.Observe(0.5, 1, "m")
	h.Observe(0.7, 2, "m")
	h.Observe(9, 1, "m")
	var b strings.Builder
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	const want = `# HELP plain_total Never counted.
# TYPE plain_total counter
plain_total 0
# HELP by_total By two\nlabels, with a \\.
# TYPE by_total counter
by_total{a="x",b="y"} 2.5
# HELP h_seconds Ranges.
# TYPE h_seconds histogram
h_seconds_bucket{a="m",le="0.5"} 1
h_seconds_bucket{a="m",le="1"} 3
h_seconds_bucket{a="m",le="+Inf"} 4
h_seconds_sum{a="m"} 10.9
h_seconds_count{a="m"} 4
# HELP g Read when asked.
# TYPE g gauge
g{x="q\"\\\n"} -1.5
g{x="` + "\uFFFD" + `"} 0
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	_ = plain
}

// TestBounded: labels that never end are counted under other, and counting is safe from
// many goroutines.
func TestBounded(t *testing.T) {
	var s Set
	c := s.Counter("c_total", "C.", "id")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 1000 {
				c.Add(1, strings.Repeat("x", n))
			}
		})
	}
	all.Wait()
	var b strings.Builder
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n > maxSeries+4 || !strings.Contains(b.String(), `id="other"`) {
		t.Errorf("%d lines", n)
	}
}
