package document

import "encoding/json"

// The documents as far as a report reads them. Keys that came later than the
// first versions are optional.

type Epoch struct {
	Epoch      int     `json:"epoch"`
	TrainLoss  float64 `json:"train_loss"`
	ValLoss    float64 `json:"val_loss"`
	ValMacroF1 float64 `json:"val_macro_f1"`
	Steps      int     `json:"steps"`
	Best       bool    `json:"best"`
	Heads      []head  `json:"heads"`
}

type head struct {
	Category    string  `json:"category"`
	ScoreLoss   float64 `json:"score_loss"`
	TagLoss     float64 `json:"tag_loss"`
	F1          float64 `json:"f1"`
	Support     int     `json:"support"`
	TagAccuracy float64 `json:"tag_accuracy"`
	TagSupport  int     `json:"tag_support"`
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
	Gold []json.RawMessage `json:"gold"`
}

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

// Interval is the lower and the upper end of one.
type Interval [2]float64

type estimate struct {
	Value float64   `json:"value"`
	CI    *Interval `json:"ci"`
}

type difference struct {
	MacroF1 estimate `json:"macro_f1"`
}

type Scores struct {
	Rows        int                      `json:"rows"`
	MacroF1     float64                  `json:"macro_f1"`
	MicroF1     float64                  `json:"micro_f1"`
	PerCategory map[string]CategoryScore `json:"per_category"`
	Unsupported []string                 `json:"unsupported"`
	CI          *struct {
		Level     float64  `json:"level"`
		Resamples int      `json:"resamples"`
		MacroF1   Interval `json:"macro_f1"`
		MicroF1   Interval `json:"micro_f1"`
	} `json:"ci"`
}

type CategoryScore struct {
	Precision   float64 `json:"precision"`
	Recall      float64 `json:"recall"`
	F1          float64 `json:"f1"`
	Support     int     `json:"support"`
	Threshold   float64 `json:"threshold"`
	TagAccuracy float64 `json:"tag_accuracy"`
	TagSupport  int     `json:"tag_support"`
	CI          *struct {
		F1 Interval `json:"f1"`
	} `json:"ci"`
}

type Details struct {
	Gains       map[string]difference  `json:"gains"`
	MaskedGap   difference             `json:"masked_gap"`
	NoRuleFired Scores                 `json:"no_rule_fired"`
	TagAccuracy estimate               `json:"tag_accuracy"`
	Tags        map[string]Confusion   `json:"tags"`
	Calibration map[string]calibration `json:"calibration"`
	Segments    map[string][]segment   `json:"segments"`
}

// Confusion counts answered tags (columns) by true tag (rows).
type Confusion struct {
	Tags   []string `json:"tags"`
	Counts [][]int  `json:"counts"`
}

type calibration struct {
	ECE  float64 `json:"ece"`
	Rows int     `json:"rows"`
}

type segment struct {
	Name    string  `json:"name"`
	Rows    int     `json:"rows"`
	MicroF1 float64 `json:"micro_f1"`
	Decided int     `json:"decided"`
}

type Checks struct {
	Passed bool    `json:"passed"`
	Checks []Check `json:"checks"`
}

type Check struct {
	ID       string    `json:"id"`
	On       string    `json:"on"`
	Over     string    `json:"over"`
	Category string    `json:"category"`
	Severity string    `json:"severity"`
	Min      *float64  `json:"min"`
	Max      *float64  `json:"max"`
	Lower    *float64  `json:"lower"` // of the interval's lower end
	Observed float64   `json:"observed"`
	CI       *Interval `json:"ci"`
	Where    string    `json:"where"`
	Void     string    `json:"void"` // why nothing could be measured
	Passed   bool      `json:"passed"`
	Samples  []struct {
		ID       string `json:"id"`
		Title    string `json:"title"`
		Expected string `json:"expected"`
		Answered string `json:"answered"`
	} `json:"samples"`
}

type Timings struct {
	Device string  `json:"device"`
	Texts  int     `json:"texts"`
	P50    float64 `json:"latency_p50_ms"`
	P99    float64 `json:"latency_p99_ms"`
	Rate   float64 `json:"rows_per_second"`
	Checks []Check `json:"checks"` // of latency: they hold for a machine
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

type CategoryAnswer struct {
	Truth    bool    `json:"truth"`
	Unknown  bool    `json:"unknown"`
	Score    float64 `json:"score"`
	Answer   bool    `json:"answer"`
	Keywords bool    `json:"keywords"`
}

// SplitReport says what the sides hold and what met across them.
type SplitReport struct {
	Rows  int    `json:"rows"`
	By    string `json:"by"`
	Sides []struct {
		Name      string         `json:"name"`
		Rows      int            `json:"rows"`
		Groups    int            `json:"groups"`
		Positives map[string]int `json:"positives"`
		First     string         `json:"first"`
		Last      string         `json:"last"`
	} `json:"sides"`
	Groups   int `json:"groups"`
	Repeated int `json:"repeated"`
	Largest  []struct {
		Rows   int      `json:"rows"`
		Side   string   `json:"side"`
		Titles []string `json:"titles"`
	} `json:"largest"`
	Undated        int `json:"undated"`
	UndatedDropped int `json:"undated_dropped"`
	Leaks          []struct {
		Between  [2]string `json:"between"`
		By       string    `json:"by"`
		Rows     int       `json:"rows"`
		Dropped  bool      `json:"dropped"`
		Examples []struct {
			Title      string  `json:"title"`
			Other      string  `json:"other"`
			URL        string  `json:"url"`
			OtherURL   string  `json:"other_url"`
			Similarity float64 `json:"similarity"`
		} `json:"examples"`
	} `json:"leaks"`
	Truncated bool `json:"truncated"`
}

type LabelReport struct {
	Rows       int                      `json:"rows"`
	Covered    int                      `json:"covered"`
	Abstained  int                      `json:"abstained"`
	Overlap    int                      `json:"overlap"`
	Conflicts  int                      `json:"conflicts"`
	Categories map[string]labelCategory `json:"categories"`
	Sources    map[string]labelSource   `json:"sources"`
	DeadRules  []string                 `json:"dead_rules"`
	HTTP       *struct {
		Model     string  `json:"model"`
		Rows      int     `json:"rows"`
		Asked     int     `json:"asked"`
		Answers   int     `json:"answers"`
		Bad       int     `json:"bad"`
		TokensIn  int64   `json:"tokens_in"`
		TokensOut int64   `json:"tokens_out"`
		Cost      float64 `json:"cost"`
	} `json:"http"`
	Encoder *struct {
		Asked   int `json:"asked"`
		Decided int `json:"decided"`
		Far     int `json:"far"`
		Close   int `json:"close"`
	} `json:"encoder"`
	Overlay *struct {
		Corrections int      `json:"corrections"`
		Rows        int      `json:"rows"`
		Unknown     []string `json:"unknown"`
		UnknownRows int      `json:"unknown_rows"`
	} `json:"overlay"`
	Gold *struct {
		Rows    int `json:"rows"`
		Removed int `json:"removed"`
		Voters  map[string]struct {
			Votes  int     `json:"votes"`
			Right  int     `json:"right"`
			Weight float64 `json:"weight"`
		} `json:"voters"`
	} `json:"gold"`
}

type labelCategory struct {
	Positives    int            `json:"positives"`
	Coverage     float64        `json:"coverage"`
	Tags         map[string]int `json:"tags"`
	Overlap      map[string]int `json:"overlap"`
	Conflicts    int            `json:"conflicts"`
	Undecided    int            `json:"undecided"`
	TagConflicts int            `json:"tag_conflicts"`
	Rules        map[string]int `json:"rules"`
}

type labelSource struct {
	Rows      int `json:"rows"`
	Labels    int `json:"labels"`
	Positives int `json:"positives"`
}

// Measured is what a model is judged by: the gold set if there is one.
func (m *Metrics) Measured() (s Scores, on string) {
	if m.Gold != nil {
		return *m.Gold, "gold"
	}
	return m.Test, "test"
}

// MeasuredDetails are those of the measured set; null if verify recorded none.
func (m *Metrics) MeasuredDetails() *Details {
	_, on := m.Measured()
	return m.Details[on]
}

// Low and high are the ends of an interval; null without one.
func (i *Interval) Low() *float64 {
	if i == nil {
		return nil
	}
	return &i[0]
}

func (i *Interval) High() *float64 {
	if i == nil {
		return nil
	}
	return &i[1]
}

func (c CategoryScore) F1CI() *Interval {
	if c.CI == nil {
		return nil
	}
	return &c.CI.F1
}

func (s Scores) MacroCI() *Interval {
	if s.CI == nil {
		return nil
	}
	return &s.CI.MacroF1
}

func (s Scores) MicroCI() *Interval {
	if s.CI == nil {
		return nil
	}
	return &s.CI.MicroF1
}
