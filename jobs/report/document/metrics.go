package document

// Metrics are what verify measured: the output metrics.
type Metrics struct {
	Test      Scores            `json:"test"`
	Gold      *Scores           `json:"gold"`
	Baselines map[string]Scores `json:"baselines"`
	Masked    *Scores           `json:"masked"`
	Leaked    int               `json:"leaked"`
	Train     struct {
		Rows      int            `json:"rows"`
		Positives map[string]int `json:"positives"`
	} `json:"train"`
	Details map[string]*Details `json:"details"` // by set
	Drift   map[string]struct {
		Against string  `json:"against"`
		Labels  float64 `json:"labels"`
		Lengths float64 `json:"lengths"`
	} `json:"drift"`
}

// Interval is the lower and the upper end of one. There is none where nothing was
// measured.
type Interval = [2]float64

// Estimate is a value with its interval, if one was measured.
type Estimate struct {
	Value float64   `json:"value"`
	CI    *Interval `json:"ci"`
}

// Difference is between two models on the same rows.
type Difference struct {
	MacroF1 Estimate `json:"macro_f1"`
}

// Scores are the figures of a model on a set of rows.
type Scores struct {
	Rows        int                      `json:"rows"`
	MacroF1     float64                  `json:"macro_f1"`
	MicroF1     float64                  `json:"micro_f1"`
	PerCategory map[string]CategoryScore `json:"per_category"`
	Unsupported []string                 `json:"unsupported"`
	Accuracy    *float64                 `json:"accuracy"` // where a row has one label
	CI          struct {
		Level     float64   `json:"level"`
		Resamples int       `json:"resamples"`
		MacroF1   *Interval `json:"macro_f1"`
		MicroF1   *Interval `json:"micro_f1"`
		Accuracy  *Interval `json:"accuracy"`
	} `json:"ci"`
}

// CategoryScore are the figures of one category.
type CategoryScore struct {
	Precision   float64 `json:"precision"`
	Recall      float64 `json:"recall"`
	F1          float64 `json:"f1"`
	Support     int     `json:"support"`
	Threshold   float64 `json:"threshold"`
	TagAccuracy float64 `json:"tag_accuracy"`
	TagSupport  int     `json:"tag_support"`
	CI          struct {
		F1 *Interval `json:"f1"`
	} `json:"ci"`
}

// Details are what verify measured beside the figures, on one set.
type Details struct {
	Gains       map[string]Difference  `json:"gains"`
	MaskedGap   Difference             `json:"masked_gap"`
	NoRuleFired Scores                 `json:"no_rule_fired"`
	TagAccuracy Estimate               `json:"tag_accuracy"`
	Tags        map[string]Confusion   `json:"tags"`
	Calibration map[string]Calibration `json:"calibration"`
	Choice      *Choice                `json:"choice"`
	Segments    map[string][]Segment   `json:"segments"`
}

// Confusion counts answered tags (columns) by true tag (rows).
type Confusion struct {
	Tags   []string `json:"tags"`
	Counts [][]int  `json:"counts"`
}

// Choice counts answers (columns) by truth (rows) where a row has one label; the last of
// the categories is none, without a name.
type Choice struct {
	Categories  []string    `json:"categories"`
	Confusion   [][]int     `json:"confusion"`
	Calibration Calibration `json:"calibration"`
	// WithCategory is of the rows that have a category, nil if all have.
	WithCategory *Calibration `json:"calibration_with_category"`
}

// Calibration says how far scores are from frequencies.
type Calibration struct {
	ECE  float64 `json:"ece"`
	Rows int     `json:"rows"`
}

// Segment is a part of a set: rows of one site, or of one length.
type Segment struct {
	Name    string  `json:"name"`
	Rows    int     `json:"rows"`
	MicroF1 float64 `json:"micro_f1"`
	Decided int     `json:"decided"`
	// Of a language alone.
	MacroF1         *float64 `json:"macro_f1"`
	KeywordsMicroF1 *float64 `json:"keywords_micro_f1"`
	TrainRows       *int     `json:"train_rows"`
}

// Measured are the figures of the set that counts: the gold set if there is one.
func (m *Metrics) Measured() (s Scores, on string) {
	if m.Gold != nil {
		return *m.Gold, "gold"
	}
	return m.Test, "test"
}

// MeasuredDetails are those of the measured set; nil if verify recorded none.
func (m *Metrics) MeasuredDetails() *Details {
	_, on := m.Measured()
	return m.Details[on]
}

// Averaged reports whether there is a macro-F1: one of no category is written as 0.
func (s Scores) Averaged() bool {
	return len(s.PerCategory) == 0 || len(s.Unsupported) < len(s.PerCategory)
}

// Macro is the macro-F1 with its interval; nil if none was measured.
func (s Scores) Macro() (float64, *Interval) { return s.MacroF1, s.CI.MacroF1 }

// Micro is the micro-F1 with its interval; nil if none was measured.
func (s Scores) Micro() (float64, *Interval) { return s.MicroF1, s.CI.MicroF1 }

// MinSupport is how many positives a category needs to count in a macro average.
const MinSupport = 8
