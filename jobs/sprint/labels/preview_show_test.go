package labels

import (
	"bytes"
	"testing"

	"github.com/sprint-ml/sprint/jobs/labels/preview"
	"github.com/sprint-ml/sprint/jobs/progress/sanitize"
)

// TestHighlight: every hit that counts is marked, whatever dropped ones lie over it,
// and hits that overlap are one mark.
func TestHighlight(t *testing.T) {
	hit := func(start, end int) preview.Hit { return preview.Hit{Field: "title", Start: start, End: end} }
	m := marks{around: [3][2]string{dropped: {"(", ")"}, counts: {"[", "]"}}}
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

// TestColoursAreOurs: on a terminal a hit is coloured, and a text that colours itself is
// not.
func TestColoursAreOurs(t *testing.T) {
	m := marks{[3][2]string{counts: {"\x1b[1;32m", "\x1b[0m"}}, true}
	text := preview.Text{Fired: []preview.Hit{{Field: "title", Start: 5, End: 9}}}
	var out bytes.Buffer
	w := &sanitize.Writer{Out: &out}
	m.print(w, m.highlight("\x1b[2mafire\x1b[0m", "title", text))
	if want := `\u001b[2ma` + "\x1b[1;32mfire\x1b[0m" + `\u001b[0m` + "\n"; out.String() != want || w.Flush() != nil {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// TestLanguages: a text says in which language it was read, where that is known, and a sample
// how many rows each has.
func TestLanguages(t *testing.T) {
	var out bytes.Buffer
	w := &sanitize.Writer{Out: &out}
	marks{}.text(w, preview.Text{Title: "Brand i hamnen", Language: "sv"})
	marks{}.text(w, preview.Text{Title: "Fire"})
	if err := w.Flush(); err != nil || out.String() != "Brand i hamnen\n  = none; language sv\nFire\n  = none\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if got := languages(&preview.Sample{Languages: map[string]int{"fi": 2, "sv": 9, "de": 2}}); got != "sv 9, de 2, fi 2" {
		t.Errorf("got %s", got)
	}
}
