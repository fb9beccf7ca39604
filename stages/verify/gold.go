package verify

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dedup"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// withoutCalibrationRows is the gold set without the rows on which train fitted thresholds and
// temperatures, which its calibration names: by url, id, title or as
// near-duplicates.
func (s *stage) withoutCalibrationRows(ctx context.Context, in stages.Inputs, gold *rows.Gold) (*rows.Gold, error) {
	if _, ok := in.Artifact("calibration"); !ok || gold == nil {
		return gold, nil
	}
	data, err := storeio.ReadFile(ctx, in, "calibration")
	if err != nil {
		return nil, err
	}
	var c release.Calibration
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	rest := *gold
	var fitted int
	if rest.Rows, fitted = dedup.RemoveOverlap(gold.Rows, c.Rows()); fitted == 0 {
		return gold, nil
	}
	if len(rest.Rows) == 0 {
		return nil, stages.Fail(stages.CodeStage, "give calibrate.gold of train a smaller share, or label more rows", "thresholds were fitted on all %d rows of the gold set %s", len(gold.Rows), s.o.Gold)
	}
	s.env.Note("gold_rows_calibrated", fitted)
	s.env.Log.Info("gold rows on which thresholds were fitted are not scored", "rows", fitted, "left", len(rest.Rows))
	return &rest, nil
}
