package preview

import (
	"context"

	"github.com/sprint-ml/sprint/jobs/labels"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
)

// matcher applies the rules to what is asked for.
type matcher struct {
	ctx   context.Context
	o     Options
	rules *keywords.Matcher
	res   keywords.Result
}

// result puts the last result into words.
func (p *matcher) result(title, description string) Text {
	t := p.rules.Taxonomy()
	out := Text{Title: title, Description: description, Language: p.res.Language, Categories: map[string]Label{}, Fired: []Hit{}}
	for c, score := range p.res.Scores {
		if score > 0 {
			name := t.Categories[c].Name
			out.Categories[name] = Label{score, t.Categories[c].Tags[p.res.Tags[c]]}
			out.Of = append(out.Of, name)
		}
	}
	hit := func(h keywords.Hit, reason string) Hit {
		r := &t.Rules[h.Rule]
		c := &t.Categories[r.Category]
		field, text := "title", title
		if h.Field == 1 {
			field, text = "description", description
		}
		return Hit{Rule: c.Name + ":" + r.ID, Tag: c.Tags[r.Tag], Weight: r.Weight, Field: field, Start: h.Start, End: h.End, Words: text[h.Start:h.End], Reason: reason}
	}
	for _, h := range p.res.Fired {
		out.Fired = append(out.Fired, hit(h, ""))
		out.Of = append(out.Of, out.Fired[len(out.Fired)-1].Rule)
	}
	for _, d := range p.res.Dropped {
		out.Dropped = append(out.Dropped, hit(d.Hit, d.Reason))
	}
	return out
}

// maxTests caps a file of rule tests.
const maxTests = 16 << 20

// tests runs a file of rule tests.
func (p *matcher) tests() (*Tests, error) {
	data, err := plainfile.Read(p.o.Tests, maxTests)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "--test names a file of rule tests", "cannot read the rule tests: %w", err)
	}
	tests, problems := taxonomy.ParseTests(data, p.rules.Taxonomy())
	if len(problems) > 0 {
		return nil, labels.At(p.o.Tests, string(data), problems)
	}
	out := &Tests{File: p.o.Tests, Run: len(tests), Failed: []FailedTest{}}
	for _, test := range tests {
		if wrong := p.rules.Check(&p.res, test); wrong != "" {
			out.Failed = append(out.Failed, FailedTest{test.Line, wrong, p.result(test.Title, test.Description)})
		}
	}
	return out, nil
}
