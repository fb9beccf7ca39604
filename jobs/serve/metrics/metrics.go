// Package metrics counts, and writes what it counted in Prometheus' text format, version
// 0.0.4. It has what a server needs: counters, histograms and values read when asked.
package metrics

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Set is metrics in the order in which they were made. It is safe for concurrent use.
type Set struct {
	mu       sync.Mutex
	families []*family
}

// family is a metric with all its labels' values.
type family struct {
	set        *Set
	name, kind string
	help       string
	labels     []string
	bounds     []float64 // of a histogram's buckets, rising; the last one, infinity, is not among them
	series     map[string]*series
	read       func(set func(value float64, labels ...string)) // of a value that is read when asked
}

// series is a family under some labels.
type series struct {
	labels []string
	value  float64
	counts []uint64 // per bucket, not summed up; one more than bounds
	sum    float64
	total  uint64
}

// maxSeries bounds those of a family: labels must not come from clients, and if they do
// the rest is counted under "other".
const maxSeries = 200

func (s *Set) add(f *family) *family {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.set, f.series = s, map[string]*series{}
	s.families = append(s.families, f)
	if len(f.labels) == 0 && f.read == nil {
		f.of(nil) // it is there before anything is counted
	}
	return f
}

// of is the series of labels; the lock is held.
func (f *family) of(labels []string) *series {
	if len(labels) != len(f.labels) {
		labels = append(slices.Clone(labels), make([]string, len(f.labels))...)[:len(f.labels)]
	}
	key := strings.Join(labels, "\xff")
	s := f.series[key]
	if s == nil {
		if len(f.series) >= maxSeries {
			labels = slices.Repeat([]string{"other"}, len(f.labels))
			key = strings.Join(labels, "\xff")
			if s = f.series[key]; s != nil {
				return s
			}
		}
		s = &series{labels: slices.Clone(labels), counts: make([]uint64, len(f.bounds)+1)}
		f.series[key] = s
	}
	return s
}

// Counter is a number that rises.
type Counter struct{ f *family }

// Counter makes a counter.
func (s *Set) Counter(name, help string, labels ...string) Counter {
	return Counter{s.add(&family{name: name, kind: "counter", help: help, labels: labels})}
}

// Add counts.
func (c Counter) Add(n float64, labels ...string) {
	c.f.set.mu.Lock()
	defer c.f.set.mu.Unlock()
	c.f.of(labels).value += n
}

// Histogram is how often values lay in ranges.
type Histogram struct{ f *family }

// Histogram makes a histogram with the upper bounds of its ranges, rising.
func (s *Set) Histogram(name, help string, bounds []float64, labels ...string) Histogram {
	return Histogram{s.add(&family{name: name, kind: "histogram", help: help, labels: labels, bounds: bounds})}
}

// Observe counts a value n times.
func (h Histogram) Observe(x float64, n int, labels ...string) {
	h.f.set.mu.Lock()
	defer h.f.set.mu.Unlock()
	s := h.f.of(labels)
	i, _ := slices.BinarySearch(h.f.bounds, x)
	s.counts[i] += uint64(n)
	s.sum += x * float64(n)
	s.total += uint64(n)
}

// Gauge makes a value that read gives when it is asked; it may give several under labels.
func (s *Set) Gauge(name, help string, labels []string, read func(set func(value float64, labels ...string))) {
	s.add(&family{name: name, kind: "gauge", help: help, labels: labels, read: read})
}

// Write writes all metrics.
func (s *Set) Write(w io.Writer) error {
	var b strings.Builder
	s.mu.Lock()
	families := slices.Clone(s.families)
	s.mu.Unlock()
	for _, f := range families {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", f.name, escape(f.help, false), f.name, f.kind)
		if f.read != nil {
			f.read(func(value float64, labels ...string) { f.line(&b, "", labels, "", value) })
			continue
		}
		s.mu.Lock()
		for _, key := range slices.Sorted(maps.Keys(f.series)) {
			f.write(&b, f.series[key])
		}
		s.mu.Unlock()
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f *family) write(b *strings.Builder, s *series) {
	if f.kind != "histogram" {
		f.line(b, "", s.labels, "", s.value)
		return
	}
	sum := uint64(0)
	for i, n := range s.counts {
		sum += n
		bound := math.Inf(1)
		if i < len(f.bounds) {
			bound = f.bounds[i]
		}
		f.line(b, "_bucket", s.labels, number(bound), float64(sum))
	}
	f.line(b, "_sum", s.labels, "", s.sum)
	f.line(b, "_count", s.labels, "", float64(s.total))
}

// line writes a value; le, if not empty, is the upper bound of its range.
func (f *family) line(b *strings.Builder, suffix string, labels []string, le string, value float64) {
	b.WriteString(f.name + suffix)
	var pairs []string
	for i, name := range f.labels {
		pairs = append(pairs, name+`="`+escape(labels[i], true)+`"`)
	}
	if le != "" {
		pairs = append(pairs, `le="`+le+`"`)
	}
	if len(pairs) > 0 {
		b.WriteString("{" + strings.Join(pairs, ",") + "}")
	}
	b.WriteString(" " + number(value) + "\n")
}

func number(x float64) string {
	if math.IsInf(x, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

func escape(s string, quoted bool) string {
	s = strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
	if quoted {
		s = strings.ReplaceAll(s, `"`, `\"`)
	}
	return s
}
