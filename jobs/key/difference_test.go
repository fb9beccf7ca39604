package key_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/sprint-ml/sprint/jobs/key"
)

func TestDifferenceNamesFields(t *testing.T) {
	old := `{"external":{"rules":{"crime/theft-3":"a","fire/1":"b"}},"format":1,"inputs":{"raw":"sha256:1"},"options":{"epochs":2,"split":{"a":1}},"version":1}`
	now := `{"external":{"rules":{"crime/theft-3":"c","fire/1":"b"}},"format":1,"inputs":{"raw":"sha256:2"},"options":{"epochs":3,"split":{"a":1,"b":2}},"version":1}`
	changes := key.Difference([]byte(old), []byte(now))
	var got []string
	for _, c := range changes {
		got = append(got, c.String())
	}
	want := []string{`rules.crime/theft-3: "a" -> "c"`, "input raw changed", "option epochs: 2 -> 3", "option split.b: (none) -> 2"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s := key.Summary(changes); !strings.HasSuffix(s, "and 2 more") {
		t.Errorf("summary %q", s)
	}
	files := key.Change{Path: "external.files", Old: strings.Repeat("a", 80), New: strings.Repeat("b", 80)}
	for want, c := range map[string]key.Change{
		"files changed":                   files,
		"files changed: a.csv":            {Path: files.Path, Old: files.Old, New: files.New, Files: []string{"a.csv"}},
		"files changed: a.csv and 2 more": {Path: files.Path, Old: files.Old, New: files.New, Files: []string{"a.csv", "b.csv", "c.csv"}},
	} {
		if got := c.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if d := key.Difference([]byte(old), []byte(old)); len(d) != 0 {
		t.Errorf("equal pre-images differ: %v", d)
	}
}

// TestSections: a section that only one pre-image has is told by its fields.
func TestSections(t *testing.T) {
	old, now := []byte(`{"kind":"k"}`), []byte(`{"external":{"export":"sha256:1"},"kind":"k"}`)
	if got := key.Summary(key.Difference(old, now)); got != `export: (none) -> "sha256:1"` {
		t.Errorf("added: %q", got)
	}
	words := []byte(`{"rules":{"fire/blaze":["blaze","flames","smoke","arson","inferno","evacuated","firefighters"]}}`)
	if got := key.Summary(key.Difference(words, []byte(`{"rules":{"fire/blaze":["zz"]}}`))); got != "rules.fire/blaze changed" {
		t.Errorf("of a long list: %s", got)
	}
	if got := key.Summary(key.Difference(now, old)); got != `export: "sha256:1" -> (none)` {
		t.Errorf("removed: %q", got)
	}
	if got := key.Difference(old, []byte(`{"external":{},"kind":"k"}`)); len(got) != 1 {
		t.Errorf("an empty one: %v", got)
	}
}

// TestNullIsNotAbsent: two pre-images of different keys always differ in a field.
func TestNullIsNotAbsent(t *testing.T) {
	null := key.Preimage{Kind: "k", Options: map[string]any{"gold": nil}}
	absent := key.Preimage{Kind: "k", Options: map[string]any{}}
	a, old, err := null.Key()
	if err != nil {
		t.Fatal(err)
	}
	b, now, err := absent.Key()
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Fatal("the keys are equal")
	}
	if got := key.Difference(old, now); !reflect.DeepEqual(got, []key.Change{{Path: "options.gold", Old: "null"}}) {
		t.Errorf("from null: %+v", got)
	}
	if got := key.Summary(key.Difference(now, old)); got != "option gold: (none) -> null" {
		t.Errorf("to null: %q", got)
	}
	if got := key.Difference(old, old); len(got) != 0 {
		t.Errorf("of the same: %+v", got)
	}
}

// TestListsInWords: a list is told as people write it, and what would not be read back as
// it was keeps its quotes.
func TestListsInWords(t *testing.T) {
	got := key.Change{Path: "options.text", Old: `["title"]`, New: `["title","a, b",{"id":"f1","min":0.5},""]`}.String()
	if want := `option text: [title] -> [title, "a, b", {id: f1, min: 0.5}, ""]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
