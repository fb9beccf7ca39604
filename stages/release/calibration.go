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
	// Gold are the rows of the gold set on which was fitted: they must not be
	// scored.
	Gold []GoldRow `json:"gold"`
}

// Calibrated is what was fitted for one category.
type Calibrated struct {
	Threshold   float64 `json:"threshold"`
	Temperature float64 `json:"temperature"` // 1 leaves scores as they are
	On          string  `json:"on"`          // val or gold
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
	On          string  `json:"on"`          // val or gold
	Rows        int     `json:"rows"`
	// Fired is how much these rows count as they are; the rest counts what they are with
	// the rules' words hidden.
	Fired float64 `json:"fired"`
	// Cross entropy on these rows, before the temperature and after.
	LogLoss [2]float64 `json:"log_loss"`
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
