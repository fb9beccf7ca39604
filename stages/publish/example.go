package publish

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/rows"
)

// longestExample is the most characters of a text that is typed as an example.
const longestExample = 80

// workedExample is a text to try the model on, and what the test split says of it. All is
// empty if there is none.
type workedExample struct {
	text   string
	labels []string // categories, each with its tag if it has one
}

// example is the title of a test row, which the model has not seen: the first that is
// short enough and has a label, else the first that is short enough; empty if none is, or
// if there is no test split.
func example(ctx context.Context, in stages.Inputs) (x workedExample, err error) {
	if _, ok := in.Artifact("test"); !ok {
		return x, nil
	}
	r, err := in.Open(ctx, "test")
	if err != nil {
		return x, err
	}
	defer r.Close()
	test, categories, err := rows.DecodeParquet(r)
	if err != nil {
		return x, err
	}
	for _, row := range test {
		title := strings.TrimSpace(row.Title)
		if title == "" || utf8.RuneCountInString(title) > longestExample || strings.ContainsFunc(title, func(c rune) bool { return !unicode.IsPrint(c) }) {
			continue
		}
		var labels []string
		for c, l := range row.Labels {
			if l.Score <= 0 || c >= len(categories) {
				continue
			}
			label := categories[c]
			if l.Tag != "" {
				label += "/" + l.Tag
			}
			labels = append(labels, label)
		}
		if len(labels) > 0 {
			return workedExample{title, labels}, nil
		}
		if x.text == "" {
			x.text = title
		}
	}
	return x, nil
}
