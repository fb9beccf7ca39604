package question_test

import (
	"testing"

	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/question"
)

const taxonomyText = "categories:\n  - {name: fire, tags: [big]}\n  - {name: money}\n"

const good = `{"labels": [{"category": "fire", "score": 0.9, "tag": "big"}]}`

func FuzzLabels(f *testing.F) {
	tax, problems := taxonomy.Parse([]byte(taxonomyText))
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	for _, s := range []string{good, "x " + good + " y", good + good, `{"labels": null}`, `{"labels": [{"category": "fyre", "score": 1}]}`, `{"labels": [{"category": "fire", "score": 2}]}`,
		`{"labels": [{"category": "fire"}]}`, `{"labels": [{"category": "fire", "score": 1, "tag": "huge"}]}`, `{"labels": [{"category": "fire", "score": 1}, {"category": "fire", "score": 1}]}`, `{"labels": [`, `[1]`, "", `{"labels": [], "why": ""}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		labels, err := question.Labels(s, tax)
		if err != nil {
			return
		}
		if len(labels) != 2 {
			t.Fatal(labels)
		}
		for c, l := range labels {
			if l.Score < 0 || l.Score > 1 || tax.Categories[c].TagIndex(l.Tag) < 0 {
				t.Fatalf("%q gives %+v", s, l)
			}
		}
	})
}

func TestLabels(t *testing.T) {
	tax, _ := taxonomy.Parse([]byte(taxonomyText))
	for s, ok := range map[string]bool{
		good: true, "Here: " + good + " Bye.": true, `{"labels": []}`: true, `{"labels": [{"category": "money", "score": 1}]}`: true,
		good + good: false, `{"labels": null}`: false, `{}`: false, `[]`: false, "fire": false, `{"labels": [`: false,
		`{"labels": [{"category": "fyre", "score": 1}]}`: false, `{"labels": [{"category": "fire", "score": 1.1}]}`: false, `{"labels": [{"category": "fire"}]}`: false,
		`{"labels": [{"category": "fire", "score": 1, "tag": "huge"}]}`: false, `{"labels": [], "why": "x"}`: false,
		`{"labels": [{"category": "fire", "score": 1}, {"category": "fire", "score": 1}]}`: false,
	} {
		if _, err := question.Labels(s, tax); (err == nil) != ok {
			t.Errorf("%s: %v", s, err)
		}
	}
}
