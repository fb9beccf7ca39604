package document

import "encoding/json"

// Epoch is one epoch of a training; the output history is a list of them.
type Epoch struct {
	Epoch      int     `json:"epoch"`
	TrainLoss  float64 `json:"train_loss"`
	ValLoss    float64 `json:"val_loss"`
	ValMacroF1 float64 `json:"val_macro_f1"`
	Steps      int     `json:"steps"`
	Best       bool    `json:"best"`
	Heads      []Head  `json:"heads"`
}

// Head says how one head did on val.
type Head struct {
	Category    string  `json:"category"`
	ScoreLoss   float64 `json:"score_loss"`
	TagLoss     float64 `json:"tag_loss"`
	Precision   float64 `json:"precision"`
	Recall      float64 `json:"recall"`
	F1          float64 `json:"f1"`
	Support     int     `json:"support"`
	TagAccuracy float64 `json:"tag_accuracy"`
	TagSupport  int     `json:"tag_support"`
}

// CurvePoint is how heads that so many labelled rows taught answer for others.
type CurvePoint struct {
	Rows    int     `json:"rows"`
	MacroF1 float64 `json:"macro_f1"`
}

// Fitted is how thresholds and temperatures were found.
type Fitted struct {
	Categories map[string]struct {
		Threshold   float64    `json:"threshold"`
		Temperature float64    `json:"temperature"`
		On          string     `json:"on"`
		Rows        int        `json:"rows"`
		Positives   int        `json:"positives"`
		Error       [2]float64 `json:"calibration_error"` // before the temperature, and after
	} `json:"categories"`
	// Choice is there where a row has one label.
	Choice *struct {
		Temperature float64    `json:"temperature"`
		On          string     `json:"on"`
		Rows        int        `json:"rows"`
		LogLoss     [2]float64 `json:"log_loss"` // before the temperature, and after
	} `json:"choice"`
	// Heads is there where heads were fitted on a frozen encoder.
	Heads *struct {
		Rows       int     `json:"rows"`
		Labelled   int     `json:"labelled"`
		Agreement  float64 `json:"agreement"`
		Categories int     `json:"categories"`
		Alarm      float64 `json:"alarm"`
		RulesAlone bool    `json:"rules_alone"`
		Bonus      float64 `json:"bonus"`
	} `json:"heads"`
	Gold []json.RawMessage `json:"gold"`
}
