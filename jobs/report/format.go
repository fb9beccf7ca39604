package report

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/jobs/report/document"
)

func code(text string) Cell { return Cell{Text: text, Code: true} }

func f2(v float64) string { return fixed(v, 2) }

func f3(v float64) string { return fixed(v, 3) }

func fixed(v float64, digits int) string {
	if math.IsNaN(v) || math.Abs(v) > 1e9 {
		return "?"
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(s, "-0.") == "" { // no negative zero
		s = strings.TrimPrefix(s, "-")
	}
	return s
}

func signed(v float64, digits int) string {
	if v >= 0 {
		return "+" + fixed(v, digits)
	}
	return "−" + fixed(-v, digits)
}

func percent(part, all int) string {
	if all <= 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(all))
}

// count writes thousands apart.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

func clampTo(v, most float64) float64 {
	if !(v > 0) {
		return 0
	}
	return min(v, most)
}

func duration(seconds float64) string {
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	}
	return (time.Duration(clampTo(seconds, 1e9)) * time.Second).String()
}

func share(v float64, of int) string {
	if of <= 0 {
		return ""
	}
	return fixed(100*v, 0) + " %"
}

// brackets is an interval in brackets, with a space before it; empty without one.
func brackets(i *document.Interval) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf(" [%s, %s]", f2(i[0]), f2(i[1]))
}

// sorted walks a map in the order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
