package report

import (
	"encoding/json"
	"fmt"

	"github.com/sprint-ml/sprint/jobs"
)

// The documents as far as a report reads them. Keys that came later than the
// first versions are optional.

type epoch struct {
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

type metrics struct {
	Test      scores            `json:"test"`
	Gold      *scores           `json:"gold"`
	Baselines map[string]scores `json:"baselines"`
	Masked    *scores           `json:"masked"`
	Leaked    int               `json:"leaked"`
}

type scores struct {
	Rows        int                      `json:"rows"`
	MacroF1     float64                  `json:"macro_f1"`
	MicroF1     float64                  `json:"micro_f1"`
	PerCategory map[string]categoryScore `json:"per_category"`
	Unsupported []string                 `json:"unsupported"`
}

type categoryScore struct {
	Precision   float64 `json:"precision"`
	Recall      float64 `json:"recall"`
	F1          float64 `json:"f1"`
	Support     int     `json:"support"`
	Threshold   float64 `json:"threshold"`
	TagAccuracy float64 `json:"tag_accuracy"`
	TagSupport  int     `json:"tag_support"`
}

type checks struct {
	Passed bool    `json:"passed"`
	Checks []check `json:"checks"`
}

type check struct {
	ID       string   `json:"id"`
	On       string   `json:"on"`
	Over     string   `json:"over"`
	Category string   `json:"category"`
	Severity string   `json:"severity"`
	Min      *float64 `json:"min"`
	Max      *float64 `json:"max"`
	Observed float64  `json:"observed"`
	Passed   bool     `json:"passed"`
	Message  string   `json:"message"`
}

type timings struct {
	Device string  `json:"device"`
	Texts  int     `json:"texts"`
	P50    float64 `json:"latency_p50_ms"`
	P99    float64 `json:"latency_p99_ms"`
	Rate   float64 `json:"rows_per_second"`
}

type labelReport struct {
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

// document decodes an output of a stage. The text says why there is none; it is
// empty if there is.
func document[T any](st Stage, name string) (out T, missing string) {
	data, missing := raw(st, name)
	if missing != "" {
		return out, missing
	}
	if err := json.Unmarshal(data, &out); err != nil {
		return *new(T), fmt.Sprintf("%s.%s is not what a report reads: %v", st.Name, name, err)
	}
	return out, ""
}

func raw(st Stage, name string) (data []byte, missing string) {
	d, ok := st.Documents[name]
	switch {
	case ok && d.Missing != "":
		return nil, d.Missing
	case ok:
		return d.Data, ""
	case st.State == jobs.Failed && st.Error != "":
		return nil, fmt.Sprintf("stage %s failed: %s", st.Name, st.Error)
	case !st.State.Done() && st.State != jobs.Failed:
		text := fmt.Sprintf("stage %s is %s", st.Name, st.State)
		if st.Reason != "" {
			text += ": " + st.Reason
		}
		return nil, text
	}
	return nil, fmt.Sprintf("stage %s recorded no %s in this run", st.Name, name)
}
