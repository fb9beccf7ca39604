package options

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config/diagnostic"
)

// TestAlias: another word for an option is decoded to the same and keyed the same, at its
// own place; both together are a mistake.
func TestAlias(t *testing.T) {
	type check struct {
		On string `yaml:"on" alias:"set" default:"test" enum:"test|gold"`
	}
	type with struct {
		Checks []check `yaml:"checks"`
	}
	decode := func(item map[string]any) (with, Decoded, error) {
		var out with
		v := NewValues("with", diagnostic.Position{})
		l := NewLayer("plan", "")
		l.Set([]string{"checks"}, []any{item}, diagnostic.Position{File: "p", Line: 1})
		if err := v.Add(*l); err != nil {
			t.Fatal(err)
		}
		d := Decoder{ErrorAt: func(pos diagnostic.Position, path, message, hint string) *diagnostic.Error {
			return &diagnostic.Error{Pos: pos, Path: path, Message: message, Hint: hint}
		}}
		x, err := d.Decode(v, &out)
		return out, x, err
	}
	one, x, err := decode(map[string]any{"set": "gold"})
	two, y, err2 := decode(map[string]any{"on": "gold"})
	if diff := cmp.Diff(x.Keyed, y.Keyed); err != nil || err2 != nil || one.Checks[0].On != "gold" || two.Checks[0] != one.Checks[0] || diff != "" {
		t.Errorf("%v, %v, %v and %v: %s", err, err2, one, two, diff)
	}
	if _, _, err := decode(map[string]any{"on": "gold", "set": "test"}); err == nil || !strings.Contains(err.Error(), "another word for on") {
		t.Errorf("both: %v", err)
	}
	if _, _, err := decode(map[string]any{"set": "silver"}); err == nil || !strings.Contains(err.Error(), "silver") {
		t.Errorf("a wrong value: %v", err)
	}
}
