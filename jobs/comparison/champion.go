package comparison

import (
	"context"
	"fmt"

	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/storage"
	"github.com/sprint-ml/sprint/storage/models"
)

// Champion is a run beside the champion of the model that its plan publishes.
type Champion struct {
	Ref string // of the champion, news@3; empty if the model has none
	// Same says that the champion is what the run published.
	Same bool
	// On is what the champion's figures were measured on, gold or test, before it was
	// published; MacroF1 is null if nobody knows.
	On      string
	MacroF1 *float64
	// Rows compares both on the rows that both measured; nil if that cannot be, and Why
	// says so.
	Rows *Comparison
	Why  string
}

// WithChampion compares a run that ended with the champion of a model.
func WithChampion(ctx context.Context, s *storage.Store, name string, now runs.Record) (Champion, error) {
	at, err := models.In(s).Release(ctx, name, models.Champion)
	if storage.MissingOrDamaged(err) {
		return Champion{}, nil
	}
	if err != nil {
		return Champion{}, err
	}
	c := Champion{Ref: fmt.Sprintf("%s@%d", at.Name, at.Version)}
	for _, st := range now.Stages {
		c.Same = c.Same || st.Outputs["release"].Digest == at.Digest
	}
	for _, f := range at.Files {
		if f.Path != "metrics.json" {
			continue
		}
		stored := runs.StageResult{Outputs: map[string]runs.OutputResult{"metrics": {Digest: f.Digest, Size: f.Size}}}
		if m, ok := document.Read[document.Metrics](ctx, s, stored, "metrics"); ok {
			scores, on := m.Measured()
			if c.On = on; len(scores.Unsupported) < len(scores.PerCategory) {
				c.MacroF1 = &scores.MacroF1
			}
		}
	}
	if c.Same {
		return c, nil
	}
	run := at.Facts().Run
	if !runs.ValidID(run) {
		c.Why = "nobody knows which run published it"
		return c, nil
	}
	old, err := runs.LoadRecord(ctx, s, run)
	if storage.MissingOrDamaged(err) {
		c.Why = fmt.Sprintf("the record of run %s, which published it, is gone", run)
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.Rows, c.Why, err = Runs(ctx, s, old, now)
	return c, err
}
