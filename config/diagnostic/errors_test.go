package diagnostic_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config/diagnostic"
)

// TestMessage holds what a user reads of one mistake: place, path, message, the
// line with a caret under the column, the hint.
func TestMessage(t *testing.T) {
	place := diagnostic.Position{File: "plan.yaml", Line: 7, Col: 9}
	for name, c := range map[string]struct {
		e    diagnostic.Error
		want string
	}{
		"all": {diagnostic.Error{Pos: place, Path: "stages.train.with.epochs", Message: "want a whole number", Hint: "passes over the rows", Excerpt: "\tepochs: many"},
			"plan.yaml:7:9: stages.train.with.epochs: want a whole number\n     7 |  epochs: many\n       |         ^\n       passes over the rows"},
		"flag":          {diagnostic.Error{Pos: diagnostic.Position{File: "--set a.b=1"}, Message: "no stage"}, "--set a.b=1: no stage"},
		"line alone":    {diagnostic.Error{Pos: diagnostic.Position{File: "p", Line: 2}, Message: "m", Excerpt: "x"}, "p:2: m\n     2 | x"},
		"no place":      {diagnostic.Error{Message: "m", Hint: "h"}, "m\n       h"},
		"control codes": {diagnostic.Error{Message: "a\x1b[2Jb", Hint: "\x07"}, "a\uFFFD[2Jb\n       \uFFFD"},
		"user info": {diagnostic.Error{Pos: diagnostic.Position{File: "--set a.b=https://u:p/w@h", Line: 1, Col: 1}, Message: "not s3://k:s@b?x", Excerpt: "{u: https://me:se/c=r#et@h/v1, w: a@b, x: s3://b/c}"},
			"--set a.b=https://***@h:1:1: not s3://***@b?x\n     1 | {u: https://***@h/v1, w: a@b, x: s3://b/c}\n       | ^"},
		"queries": {diagnostic.Error{Pos: diagnostic.Position{File: "--set a.b=https://h?token=k1&k2"}, Message: "s3://b?region=r", Excerpt: "", Hint: "--store s3://b?region=r"},
			"--set a.b=https://h?token=***&***: s3://b?region=r\n       --store s3://b?region=r"},
		"queries of a line": {diagnostic.Error{Pos: diagnostic.Position{File: "p", Line: 1}, Message: "m", Excerpt: `{u: "https://h/v1?token=k1&x=k2#k3", v: https://h#k4, w: no?x=1, x: s3://b/c # d}`},
			"p:1: m\n     1 | {u: \"https://h/v1?token=***&x=***\", v: https://h#*** w: no?x=1, x: s3://b/c # d}"},
		"end of a line": {diagnostic.Error{Pos: diagnostic.Position{File: "p", Line: 1, Col: 99}, Message: "m", Excerpt: "ab"}, "p:1:99: m\n     1 | ab\n       |   ^"},
	} {
		if diff := cmp.Diff(c.want, c.e.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestCaretInALongLine: the part around the column is shown, and the caret
// stands under it.
func TestCaretInALongLine(t *testing.T) {
	line := strings.Repeat("x", 300) + "HERE" + strings.Repeat("y", 300)
	e := diagnostic.Error{Pos: diagnostic.Position{File: "p", Line: 1, Col: 301}, Message: "m", Excerpt: line}
	lines := strings.Split(e.Error(), "\n")
	shown, caret := []rune(lines[1]), strings.IndexByte(lines[2], '^')
	if string(shown[caret:caret+4]) != "HERE" || len(shown) > 140 {
		t.Errorf("the caret does not stand under HERE:\n%s", e.Error())
	}
}

// TestOrNil: several mistakes are told in the order of their places, none is no
// failure.
func TestOrNil(t *testing.T) {
	at := func(line int) *diagnostic.Error {
		return &diagnostic.Error{Pos: diagnostic.Position{File: "p", Line: line}, Message: "m"}
	}
	var errs diagnostic.Errors
	if !errors.As(diagnostic.Errors{at(3), at(1)}.OrNil(), &errs) || errs[0].Pos.Line != 1 || errs[1].Pos.Line != 3 {
		t.Errorf("got %v, want both in order", errs)
	}
	if err := (diagnostic.Errors{}).OrNil(); err != nil {
		t.Errorf("no mistakes are an error: %v", err)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"epochs", "seed", "text", "up"}
	for word, want := range map[string]string{
		"epoch":     `did you mean "epochs"?`,
		"epcohs":    `did you mean "epochs"?`,
		"sede":      `did you mean "seed"?`,
		"ab":        "known: epochs, seed, text, up",
		"something": "known: epochs, seed, text, up",
	} {
		if got := diagnostic.Suggest(word, known); got != want {
			t.Errorf("%s: got %s, want %s", word, got, want)
		}
	}
	if got := diagnostic.Suggest("x", nil); got != "" {
		t.Errorf("nothing is known, and %q is suggested", got)
	}
}

// TestNoMistakeShowsASecret: what stands in clear is shown by no other mistake of its line, or
// of its flag; those of other lines keep theirs.
func TestNoMistakeShowsASecret(t *testing.T) {
	const line = "with: {key: s3cret, publik: x}"
	in, flag := diagnostic.Position{File: "plan.yaml", Line: 2, Col: 13}, diagnostic.Position{File: "--set a.b={key: s3cret, c: d}"}
	err := diagnostic.Errors{
		{Pos: diagnostic.Position{File: "plan.yaml", Line: 2, Col: 21}, Message: "unknown option", Excerpt: line},
		{Pos: in, Secret: &in, Message: "a secret"},
		{Pos: diagnostic.Position{File: "plan.yaml", Line: 3, Col: 1}, Message: "unknown option", Excerpt: "other: line"},
		{Pos: flag, Message: "unknown option"},
		{Pos: diagnostic.Position{File: "--set a.b=***"}, Secret: &flag, Message: "a secret"},
	}.OrNil()
	if text := err.Error(); strings.Contains(text, "s3cret") || !strings.Contains(text, "other: line") || strings.Count(text, "--set a.b=***: ") != 2 {
		t.Error(text)
	}
}
