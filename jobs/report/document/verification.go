package document

import (
	"context"
	"fmt"
	"slices"

	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
)

// Verification is what a verify stage found out.
type Verification struct {
	Stage   string
	Metrics Metrics
	Checks  []Check // those of latency too
	// Model are the figures of the set that counts, Details beside them, On the
	// set in words.
	Model   Scores
	Details *Details
	On      string
}

// ReadVerification reads the outputs of a stage; ok is false if it is of another
// kind or has no metrics.
func ReadVerification(ctx context.Context, s *storage.Store, r runs.StageResult) (v Verification, ok bool) {
	if r.Kind != "verify" {
		return v, false
	}
	if v.Metrics, ok = Read[Metrics](ctx, s, r, "metrics"); !ok {
		return v, false
	}
	v.Stage, v.On = r.Name, "the test split, labelled by the rules themselves"
	if v.Metrics.Gold != nil {
		v.On = "the gold set"
	}
	v.Model, _ = v.Metrics.Measured()
	v.Details = v.Metrics.MeasuredDetails()
	checks, ok := Read[Checks](ctx, s, r, "checks")
	timings, timed := Read[Timings](ctx, s, r, "timings")
	if ok && timed {
		v.Checks = slices.Concat(checks.Checks, timings.Checks)
	}
	return v, true
}

// Prediction is a line of predictions.jsonl.
type Prediction struct {
	On         string                    `json:"on"`
	ID         string                    `json:"id"`
	URL        string                    `json:"url"`
	Title      string                    `json:"title"`
	Categories map[string]CategoryAnswer `json:"categories"`
	Rules      []string                  `json:"rules"` // that fired, as category:rule
}

// CategoryAnswer is what is true of a category of a row, and what was answered.
type CategoryAnswer struct {
	Truth    bool    `json:"truth"`
	Unknown  bool    `json:"unknown"`
	Score    float64 `json:"score"`
	Answer   bool    `json:"answer"`
	Keywords bool    `json:"keywords"`
}

// Predictions are the predictions of the measured set.
func Predictions(st Stage) (out []Prediction, missing string) {
	data, missing := raw(st, "predictions")
	if missing != "" {
		return nil, missing
	}
	out, bad := lines[Prediction](data)
	if len(out) == 0 {
		return nil, fmt.Sprintf("%s.predictions has no line that a report reads (%d that it does not)", st.Name, bad)
	}
	return out, ""
}
