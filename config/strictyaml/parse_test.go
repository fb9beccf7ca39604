package strictyaml_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/config/strictyaml"
)

// TestPlaces: every value and every key says where it stands.
func TestPlaces(t *testing.T) {
	doc, errs := strictyaml.Parse("f", []byte("a:\n  b: [1, two]\nc: true\n"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	at := func(line, col int) diagnostic.Position { return diagnostic.Position{File: "f", Line: line, Col: col} }
	got := map[string]diagnostic.Position{}
	doc.Root.Places("", got)
	want := map[string]diagnostic.Position{
		"": at(1, 1), "a": at(2, 3), "a.b": at(2, 6), "a.b.0": at(2, 7), "a.b.1": at(2, 10), "c": at(3, 4),
		strictyaml.KeyPath("a"): at(1, 1), strictyaml.KeyPath("a.b"): at(2, 3), strictyaml.KeyPath("c"): at(3, 1),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	plain := map[string]any{"a": map[string]any{"b": []any{int64(1), "two"}}, "c": true}
	if diff := cmp.Diff(plain, doc.Root.Plain()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// TestRefused: what could mean two things is a mistake, told once, where it is.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"a: &x 1\n":        "f:1:4: a: anchors and aliases are not allowed",
		"a: 1\na: 2\n":     "f:2:1: a: the key stands twice, first in line 1",
		"a: !!binary QQ\n": "f:1:4: a: tag !!binary is not allowed",
		"a: .inf\n":        "f:1:4: a: .inf is not a number that can be used",
		"[a]: 1\n":         "f:1:1: a key must be a plain word",
		"a: 1\n---\nb: 2":  "f:2:1: a second document: a file holds one",
		"a: \x00":          "f:1: a NUL byte: this is not a text file",
		"a: \xff":          "f:1:4: this is not UTF-8",
	} {
		_, errs := strictyaml.Parse("f", []byte(text))
		if len(errs) != 1 {
			t.Errorf("%q: %d mistakes: %v", text, len(errs), errs)
			continue
		}
		e := *errs[0]
		e.Excerpt, e.Hint = "", ""
		if e.Error() != want {
			t.Errorf("%q: got %s, want %s", text, e.Error(), want)
		}
	}
}
