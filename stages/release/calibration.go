package release

import (
	"math"

	"github.com/sprint-ml/sprint/stages/rows"
)

// Calibration is the content of calibration.json.
type Calibration struct {
	Temperature string                `json:"temperature"` // as the plan has it
	Categories  map[string]Calibrated `json:"categories"`
	// Choice is there where a row has one label: there are no thresholds then.
	Choice *CalibratedChoice `json:"choice,omitempty"`
	// Heads is there where linear heads were fitted on a frozen encoder.
	Heads *FittedHeads `json:"heads,omitempty"`
	// Gold are the rows of the gold set on which was fitted: they must not be
	// scored.
	Gold []GoldRow `json:"gold"`
}

// Calibrated is what was fitted for one category.
type Calibrated struct {
	Threshold   float64 `json:"threshold"`
	Temperature float64 `json:"temperature"` // 1 leaves scores as they are
	On          string  `json:"on"`          // val, gold or folds
	Rows        int     `json:"rows"`
	Positives   int     `json:"positives"`
	// Log loss and expected calibration error on these rows, before the
	// temperature and after.
	LogLoss [2]float64 `json:"log_loss"`
	Error   [2]float64 `json:"calibration_error"`
}

// CalibratedChoice is what was fitted where a row has one label.
type CalibratedChoice struct {
	Temperature float64 `json:"temperature"` // 1 leaves probabilities as they are
	On          string  `json:"on"`          // val, gold or folds
	Rows        int     `json:"rows"`
	// Fired is how much these rows count as they are; the rest counts what they are with
	// the rules' words hidden.
	Fired float64 `json:"fired"`
	// Cross entropy on these rows, before the temperature and after.
	LogLoss [2]float64 `json:"log_loss"`
}

// FittedHeads is what the folds of the rows say of heads on a frozen encoder.
type FittedHeads struct {
	Rows     int `json:"rows"`     // that were embedded
	Labelled int `json:"labelled"` // of them
	// Agreement is how well heads that have not seen a row agree with its label, as
	// macro-F1 over so many categories with enough of them; no categories say nothing.
	Agreement  float64 `json:"agreement"`
	Categories int     `json:"categories"`
	// RulesAlone says that the agreement is below Alarm, so that the rules answer.
	Alarm      float64 `json:"alarm"`
	RulesAlone bool    `json:"rules_alone"`
	// Bonus is what the rules add to a logit; 0 if the heads answer alone.
	Bonus float64 `json:"bonus"`
}

// GoldRow names a row of a gold set.
type GoldRow struct {
	URL   string `json:"url,omitempty"`
	ID    string `json:"id,omitempty"`
	Title string `json:"title"`
}

// Rows are the named gold rows as rows, to keep others apart from.
func (c *Calibration) Rows() []rows.Row {
	out := make([]rows.Row, len(c.Gold))
	for i, g := range c.Gold {
		out[i] = rows.Row{URL: g.URL, ID: g.ID, Title: g.Title}
	}
	return out
}

// Thresholds are those of thresholds.json.
func (c *Calibration) Thresholds() map[string]float64 {
	out := map[string]float64{}
	for name, x := range c.Categories {
		out[name] = math.Min(math.Max(x.Threshold, -1), 1)
	}
	return out
}
