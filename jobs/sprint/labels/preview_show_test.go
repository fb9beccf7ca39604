package labels

import (
	"testing"

	"github.com/sprint-ml/sprint/jobs/labels/preview"
)

// TestHighlight: every hit that counts is marked, whatever dropped ones lie over it,
// and hits that overlap are one mark.
func TestHighlight(t *testing.T) {
	hit := func(start, end int) preview.Hit { return preview.Hit{Field: "title", Start: start, End: end} }
	m := marks{dropped: {"(", ")"}, counts: {"[", "]"}}
	for want, text := range map[string]preview.Text{
		"abcdefghi":     {Fired: []preview.Hit{{Field: "description", Start: 1, End: 2}}},
		"[ab]cd(ef)ghi": {Fired: []preview.Hit{hit(0, 2)}, Dropped: []preview.Hit{hit(4, 6)}},
		"a[bcde]fghi":   {Fired: []preview.Hit{hit(2, 5), hit(1, 3)}},
		"abc[de]fghi":   {Fired: []preview.Hit{hit(3, 5)}, Dropped: []preview.Hit{hit(0, 9), hit(4, 6)}},
		"(abcd)ef[ghi]": {Fired: []preview.Hit{hit(6, 9)}, Dropped: []preview.Hit{hit(0, 4), hit(3, 8)}},
	} {
		if got := m.highlight("abcdefghi", "title", text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
