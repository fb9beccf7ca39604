package progress

import (
	"context"
	"encoding/json"

	"github.com/sprint-ml/sprint/jobs/runs"
)

// jsonView writes every event as a line; the last line is the result.
type jsonView struct{ out *json.Encoder }

func (v *jsonView) Observe(e runs.Event) {
	if e.Type != runs.EventResult {
		_ = v.out.Encode(e)
	}
}

func (v *jsonView) Finish(_ context.Context, r *runs.Result) { _ = v.out.Encode(r) }
func (v *jsonView) Close()                                   {}
