package verify

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// The documents that verify writes: metrics.json, checks.json, timings.json and the
// lines of predictions.jsonl. Outside programs and reports rely on their names.

// Metrics is the content of metrics.json. Outside programs rely on its names.
type Metrics struct {
	Test metrics.Report  `json:"test"`
	Gold *metrics.Report `json:"gold"` // null without a gold set
	// Baselines and Masked are on gold if there is one, else on test.
	Baselines map[string]metrics.Report `json:"baselines"`
	Masked    metrics.Report            `json:"masked"`
	// Leaked are gold rows that were in train.
	Leaked int `json:"leaked"`
	// Train counts the training rows and the positives of each category.
	Train TrainCounts `json:"train"`
	// Labels is "single" where a row has one category or none.
	Labels string `json:"labels,omitempty"`
	// Details are by set: test, and gold if there is one.
	Details map[string]*Details `json:"details"`
	// Drift is there if a check asks for it.
	Drift map[string]Drift `json:"drift,omitempty"`
}

// TrainCounts is what the model was trained on.
type TrainCounts struct {
	Rows      int            `json:"rows"`
	Positives map[string]int `json:"positives"`
}

// Details are the figures of one set that say where a model is weak.
type Details struct {
	// Gains are over the baselines, on the same rows.
	Gains     map[string]metrics.Difference `json:"gains"`
	MaskedGap metrics.Difference            `json:"masked_gap"`
	// NoRuleFired is the model on the rows where no rule fired.
	NoRuleFired metrics.Report   `json:"no_rule_fired"`
	TagAccuracy metrics.Estimate `json:"tag_accuracy"` // of all categories
	// Tags are by category.
	Tags        map[string]Confusion           `json:"tags"`
	Calibration map[string]metrics.Calibration `json:"calibration"`
	// Choice is there where a row has one label.
	Choice *Choice `json:"choice,omitempty"`
	// Segments are by "domain" and "length", the largest first, and by "language" where
	// that of the rows is known.
	Segments     map[string][]Segment `json:"segments"`
	Distribution Distribution         `json:"distribution"`
	// Repeated are rows whose identity or title an earlier row of the set has.
	Repeated int `json:"repeated"`
}

// Choice is how a model does that answers one category a row, or none: "" in Categories,
// the last. Confusion counts answers (columns) by truth (rows) in their order, Calibration
// compares the probability of what is answered with how often it is right.
type Choice struct {
	Categories  []string            `json:"categories"`
	Confusion   [][]int             `json:"confusion"`
	Calibration metrics.Calibration `json:"calibration"`
	// WithCategory is the calibration on the rows that have a category, there if others
	// have none: to those no probability of a category is right.
	WithCategory *metrics.Calibration `json:"calibration_with_category,omitempty"`
}

// Confusion counts answered tags (columns) by true tag (rows), in the order of
// Tags, over the rows where the category is present.
type Confusion struct {
	Tags   []string `json:"tags"`
	Counts [][]int  `json:"counts"`
}

// Segment is a part of a set and how well the model does on it.
type Segment struct {
	Name    string  `json:"name"`
	Rows    int     `json:"rows"`
	MicroF1 float64 `json:"micro_f1"`
	// Decided counts positives, true or answered: without any F1 says nothing.
	Decided int `json:"decided"`
	// Of a language alone: the macro-F1, where a category has enough rows, the keywords'
	// micro-F1 on the same rows, and how many training rows are in it.
	MacroF1         *float64 `json:"macro_f1,omitempty"`
	KeywordsMicroF1 *float64 `json:"keywords_micro_f1,omitempty"`
	TrainRows       *int     `json:"train_rows,omitempty"`
	at              []int
}

// Distribution counts what the model answers and what it is asked. A later
// release is compared with it.
type Distribution struct {
	Rows int `json:"rows"`
	// Labels are rows by answered category, "" those without any.
	Labels map[string]int `json:"labels"`
	// Lengths are rows by length of title.
	Lengths []int `json:"lengths"`
}

// Drift is how far a set is from an earlier one, as population stability index.
type Drift struct {
	// Against is a release, "news@3", or "train".
	Against string  `json:"against"`
	Labels  float64 `json:"labels"`
	Lengths float64 `json:"lengths"`
}

// Checks is the content of checks.json.
type Checks struct {
	Passed bool     `json:"passed"`
	Model  string   `json:"model"` // digest of the model that was measured
	Checks []Result `json:"checks"`
}

// Result is one check with what was observed.
type Result struct {
	ID       string   `json:"id"`
	On       string   `json:"on"`
	Over     string   `json:"over,omitempty"`
	Category string   `json:"category,omitempty"`
	Severity string   `json:"severity"`
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	Lower    *float64 `json:"lower,omitempty"` // what the interval's lower end must be above
	Observed float64  `json:"observed"`
	// CI is the 95 % interval of the observed value, where it has one.
	CI *metrics.Interval `json:"ci,omitempty"`
	// Where names what decided: the weakest segment or category, or the release
	// that was compared with.
	Where string `json:"where,omitempty"`
	// Void says why nothing could be measured, which fails the check.
	Void    string `json:"void,omitempty"`
	Passed  bool   `json:"passed"`
	Message string `json:"message"`
	// Samples are rows that explain a failure.
	Samples []Sample `json:"samples,omitempty"`
}

// Sample is a row that explains a failed check.
type Sample struct {
	ID       string `json:"id"` // its id, else its url
	Title    string `json:"title"`
	Expected string `json:"expected"`
	Answered string `json:"answered"`
}

// Timings is the content of timings.json, in milliseconds.
type Timings struct {
	Device string  `json:"device"`
	Texts  int     `json:"texts"`
	P50    float64 `json:"latency_p50_ms"` // of one text
	P99    float64 `json:"latency_p99_ms"`
	Rate   float64 `json:"rows_per_second"` // in batches
	// Checks of latency stand here, in a volatile output: they hold for a
	// machine and a moment, and must not decide for others.
	Checks []Result `json:"checks,omitempty"`
}

// Prediction is a line of predictions.jsonl: one row of the gold set, without
// one of the test split, and what was answered.
type Prediction struct {
	On         string                        `json:"on"`
	ID         string                        `json:"id,omitempty"`
	URL        string                        `json:"url,omitempty"`
	Title      string                        `json:"title"`
	Host       string                        `json:"host,omitempty"`
	Categories map[string]CategoryPrediction `json:"categories"`
	Rules      []string                      `json:"rules"` // that fired, as category:rule
}

// CategoryPrediction is what one category of a row is, and is said to be.
type CategoryPrediction struct {
	Truth    bool    `json:"truth"`
	Unknown  bool    `json:"unknown,omitempty"` // nobody decided: Truth means nothing
	Score    float64 `json:"score"`
	Answer   bool    `json:"answer"` // the score is over the threshold
	Masked   bool    `json:"masked"` // with the rules' words hidden
	Keywords bool    `json:"keywords"`
	TagTruth string  `json:"tag_truth,omitempty"`
	Tag      string  `json:"tag,omitempty"` // whether or not the category is answered
}

// maxPredictions caps what is stored of a large test split.
const maxPredictions = 10_000

func (m *measurer) writePredictions(ctx context.Context, out stages.Outputs, s *evaluationSet) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i, r := range s.rows[:min(maxPredictions, len(s.rows))] {
		p := Prediction{On: s.name, ID: r.ID, URL: r.URL, Title: r.Title, Host: s.hosts[i], Rules: s.fired[i], Categories: map[string]CategoryPrediction{}}
		for k, c := range m.t.Categories {
			t, a := s.truth[i], s.answers[byModel][i]
			p.Categories[c.Name] = CategoryPrediction{
				Truth: t.Positive[k], Unknown: !t.Known[k], Score: s.scores[i][k], Answer: a.Positive[k],
				Masked: s.answers[byMasked][i].Positive[k], Keywords: s.answers[byKeywords][i].Positive[k], TagTruth: t.Tags[k], Tag: a.Tags[k],
			}
		}
		if err := e.Encode(p); err != nil {
			return err
		}
	}
	return storeio.WriteFile(ctx, out, "predictions", "application/jsonl", b.Bytes())
}
