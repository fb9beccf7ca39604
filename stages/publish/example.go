package publish

import (
	"context"
	_ "embed" // model.py
	"strings"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// modelPy answers with a release in Python.
//
//go:embed model.py
var modelPy []byte

// longestExample is the most characters of a text that is typed as an example.
const longestExample = 80

// example is the title of a test row, which the model has not seen: the first that is
// short enough and has a label, else the first that is short enough; empty if none is, or
// if there is no test split.
func example(ctx context.Context, in stages.Inputs) (string, error) {
	if _, ok := in.Artifact("test"); !ok {
		return "", nil
	}
	r, err := in.Open(ctx, "test")
	if err != nil {
		return "", err
	}
	defer r.Close()
	test, _, err := rows.DecodeParquet(r)
	if err != nil {
		return "", err
	}
	first := ""
	for _, row := range test {
		title := strings.TrimSpace(row.Title)
		if title == "" || utf8.RuneCountInString(title) > longestExample || strings.ContainsFunc(title, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			continue
		}
		for _, l := range row.Labels {
			if l.Score > 0 {
				return title, nil
			}
		}
		if first == "" {
			first = title
		}
	}
	return first, nil
}
