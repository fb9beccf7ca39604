package progress

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sprint-ml/sprint/config/diagnostic"
	"github.com/sprint-ml/sprint/stages"
)

// TestMistakes: every sort of mistake keeps its place, and no text of it becomes
// another command of the CI.
func TestMistakes(t *testing.T) {
	plan := diagnostic.Errors{
		{Pos: diagnostic.Position{File: "a,b/plan.yaml", Line: 3, Col: 5}, Path: "stages.train", Message: "no\n::error::such", Hint: "did you mean"},
		{Pos: diagnostic.Position{File: "--set x=s3://me:k1@b?token=k2"}, Message: "no stage"},
	}
	source := stages.SourceProblems{{File: "taxonomy.yaml", Line: 4, Message: "dead rule"}}
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("wrapped: %w", plan), "::error file=a%2Cb/plan.yaml,line=3,col=5::stages.train: no%0A::error::such%0Adid you mean\n::error::--set x=s3://***@b?token=***: no stage\n"},
		{source, "::error file=taxonomy.yaml,line=4::dead rule\n"},
		{&diagnostic.UsageError{Message: "no", Hint: "yes"}, "::error::no%0Ayes\n"},
		{errors.New("broken 100%"), "::error::broken 100%25\n"},
		{nil, ""},
	} {
		var out strings.Builder
		AnnotateMistakes(&out, "error", "", Mistakes(c.err))
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.err, diff)
		}
	}
}
