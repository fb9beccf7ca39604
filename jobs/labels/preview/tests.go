package preview

import (
	"os"

	"github.com/sprint-ml/sprint/jobs/labels/mistakes"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
)

// tests runs a file of rule tests.
func (p *matcher) tests() (*Tests, error) {
	data, err := os.ReadFile(p.o.Tests)
	if err != nil {
		return nil, stages.Fail(stages.CodePlan, "--test names a file of rule tests", "cannot read the rule tests: %w", err)
	}
	tests, problems := taxonomy.ParseTests(data, p.rules.Taxonomy())
	if len(problems) > 0 {
		return nil, mistakes.At(p.o.Tests, string(data), problems)
	}
	out := &Tests{File: p.o.Tests, Run: len(tests), Failed: []FailedTest{}}
	for _, test := range tests {
		if wrong := p.rules.Check(&p.res, test); wrong != "" {
			out.Failed = append(out.Failed, FailedTest{test.Line, wrong, p.result(test.Title, test.Description)})
		}
	}
	return out, nil
}
