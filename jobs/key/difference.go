package key

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Change is one field that differs between two pre-images.
type Change struct {
	Path string `json:"path"` // dotted: "options.epochs", "inputs.train"
	// Old and New are canonical JSON; empty if the field is absent, or if it is
	// null where the other has a value.
	Old string `json:"old"`
	New string `json:"new"`
	// Files are those of a list that are new, where their paths are known: a key
	// holds digests alone.
	Files []string `json:"files,omitempty"`
}

func (c Change) String() string {
	section, name, _ := strings.Cut(c.Path, ".")
	switch section {
	case "options":
		return fmt.Sprintf("option %s: %s -> %s", name, orNone(c.Old), orNone(c.New))
	case "inputs":
		return fmt.Sprintf("input %s changed", name)
	case "version":
		return fmt.Sprintf("the kind's version: %s -> %s", c.Old, c.New)
	case "external":
		switch {
		case len(c.Files) == 1:
			return fmt.Sprintf("%s changed: %s", name, c.Files[0])
		case len(c.Files) > 1:
			return fmt.Sprintf("%s changed: %s and %d more", name, c.Files[0], len(c.Files)-1)
		case len(c.Old)+len(c.New) > 120:
			return fmt.Sprintf("%s changed", name)
		}
		return fmt.Sprintf("%s: %s -> %s", name, orNone(c.Old), orNone(c.New))
	}
	return fmt.Sprintf("%s: %s -> %s", c.Path, orNone(c.Old), orNone(c.New))
}

func orNone(s string) string { return cmp.Or(plain(s), "(none)") }

// plain is canonical JSON as people write a list: [title, description].
func plain(text string) string {
	var v any
	if !strings.HasPrefix(text, "[") || json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return plainValue(v)
}

func plainValue(v any) string {
	switch x := v.(type) {
	case []any:
		parts := make([]string, len(x))
		for i, e := range x {
			parts[i] = plainValue(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(x)) {
			parts = append(parts, k+": "+plainValue(x[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case string:
		if x != "" && !strings.ContainsAny(x, "[]{},:\"' \n\t") {
			return x
		}
	}
	return canonicalText(v)
}

// Difference compares two pre-images field by field.
func Difference(old, now []byte) []Change {
	var a, b any
	if json.Unmarshal(old, &a) != nil || json.Unmarshal(now, &b) != nil {
		return []Change{{Path: "preimage", Old: "unreadable"}}
	}
	var out []Change
	differ("", a, b, &out)
	return out
}

func differ(path string, a, b any, out *[]Change) {
	am, aIsMap := a.(map[string]any)
	bm, bIsMap := b.(map[string]any)
	// A whole section that only one of them has is told by its fields, whose names say more.
	section := path != "" && !strings.Contains(path, ".") && (a == nil && len(bm) > 0 || b == nil && len(am) > 0)
	if aIsMap && bIsMap || section {
		keys := map[string]any{}
		maps.Copy(keys, am)
		maps.Copy(keys, bm)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			at := k
			if path != "" {
				at = path + "." + k
			}
			x, inA := am[k]
			y, inB := bm[k]
			if x == nil && y == nil && inA != inB { // these make two keys
				null := map[bool]string{true: "null"}
				*out = append(*out, Change{Path: at, Old: null[inA], New: null[inB]})
				continue
			}
			differ(at, x, y, out)
		}
		return
	}
	x, y := canonicalText(a), canonicalText(b)
	if x != y {
		*out = append(*out, Change{Path: path, Old: x, New: y})
	}
}

func canonicalText(v any) string {
	if v == nil {
		return ""
	}
	b, err := AppendCanonical(nil, v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// Summary puts changes into one line.
func Summary(changes []Change) string {
	texts := make([]string, 0, 3)
	for i, c := range changes {
		if i == 2 && len(changes) > 3 {
			texts = append(texts, fmt.Sprintf("and %d more", len(changes)-2))
			break
		}
		texts = append(texts, c.short())
	}
	return strings.Join(texts, ", ")
}

// longest is how long the text of a change may be in a line that tells of others, too.
const longest = 72

// short leaves out values that would fill the line: explain shows them.
func (c Change) short() string {
	text := c.String()
	values := fmt.Sprintf(": %s -> %s", orNone(c.Old), orNone(c.New))
	if name, found := strings.CutSuffix(text, values); found && len(text) > longest {
		return name + " changed"
	}
	return text
}
