package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/demand"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/train"
)

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
	Observed float64  `json:"observed"`
	Passed   bool     `json:"passed"`
	Message  string   `json:"message"`
}

type stage struct {
	o   *Options
	env stages.Env
}

// Preflight reads the gold set, so that a bad one fails before hours of training.
func (s *stage) Preflight(ctx context.Context) error {
	t, err := label.Taxonomy(s.env.Taxonomy)
	if err != nil {
		return err
	}
	_, err = s.gold(ctx, t)
	return err
}

func (s *stage) gold(ctx context.Context, t *taxonomy.Taxonomy) (*rows.Gold, error) {
	if s.o.Gold == "" {
		return nil, nil
	}
	r, err := s.env.Files.Open(ctx, s.o.Gold)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	format, _ := rows.FormatOf(s.o.Gold)
	g, err := rows.ReadGold(r, format, t.Names())
	if err != nil {
		code := stages.CodeStage
		if errors.Is(err, rows.ErrFormat) {
			code = stages.CodeIntegrity
		}
		return nil, stages.Fail(code, "a gold set has url or id, title, and per category a 0/1 column and a column <category>_tag", "gold set %s: %w", s.o.Gold, err)
	}
	if len(g.Rows) == 0 {
		return nil, stages.Fail(stages.CodeStage, "label some rows by hand", "gold set %s has no row", s.o.Gold)
	}
	return g, nil
}

// Run measures and judges.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	t, err := label.Taxonomy(s.env.Taxonomy)
	if err != nil {
		return err
	}
	gold, err := s.gold(ctx, t)
	if err != nil {
		return err
	}
	dev, err := demand.Device(ctx, s.env, s.env.Device)
	if err != nil {
		return err
	}
	defer dev.Close()
	s.env.Note("device", strings.TrimSpace(dev.Name+" "+dev.Plugin))
	trainRows, err := readRows(ctx, in, "train", t)
	if err != nil {
		return err
	}
	testRows, err := readRows(ctx, in, "test", t)
	if err != nil {
		return err
	}
	thresholds, err := s.thresholds(ctx, in, t)
	if err != nil {
		return err
	}
	model, err := s.load(ctx, in, t, dev)
	if err != nil {
		return err
	}
	defer model.Close()
	m := &measurer{t: t, model: model, thresholds: thresholds, matcher: keywords.New(t), majority: metrics.Majority(newSet(t, trainRows).truth, len(t.Categories))}
	test := newSet(t, testRows)
	figures, err := s.measure(ctx, m, test, gold, trainRows)
	if err != nil {
		return err
	}
	artifact, _ := in.Artifact("model")
	checks := Checks{Passed: true, Model: artifact.Digest}
	for _, c := range s.o.Checks {
		r, err := s.check(ctx, c, figures, in, m, dev, test)
		if err != nil {
			return err
		}
		checks.Checks = append(checks.Checks, r)
		if !r.Passed && r.Severity == "error" {
			checks.Passed = false
		}
		if !r.Passed {
			s.env.Log.Warn("check failed", "check", r.Message, "severity", r.Severity)
		}
	}
	speed := test
	if gold != nil {
		speed = newSet(t, gold.Rows)
	}
	timings, err := m.time(ctx, dev.Name, speed)
	if err != nil {
		return err
	}
	for name, v := range map[string]any{"metrics": figures.Metrics, "checks": checks, "timings": timings} {
		if err := writeJSON(ctx, out, name, v); err != nil {
			return err
		}
	}
	if checks.Passed {
		return nil
	}
	var failed []string
	for _, r := range checks.Checks {
		if !r.Passed && r.Severity == "error" {
			failed = append(failed, r.Message)
		}
	}
	return &stages.Verdict{Code: stages.CodeGate, Message: strings.Join(failed, "; "), Hint: "improve the rules, the data or the training; the figures are in the artifacts metrics and checks"}
}

// figures are the metrics and what checks need beside them.
type figures struct {
	Metrics
	unmasked map[string]float64            // macro-F1 of the model by set
	masked   map[string]float64            // the same with rule words hidden
	base     map[string]map[string]float64 // macro-F1 of the baselines by set
	example  string                        // a leaked gold row
}

func (s *stage) measure(ctx context.Context, m *measurer, test set, gold *rows.Gold, trainRows []rows.Row) (*figures, error) {
	f := &figures{unmasked: map[string]float64{}, masked: map[string]float64{}, base: map[string]map[string]float64{}}
	one := func(name string, x set) (metrics.Report, error) {
		r, err := m.ofModel(ctx, x)
		if err != nil {
			return r, err
		}
		f.Masked, err = m.masked(ctx, x)
		f.Baselines = map[string]metrics.Report{"keywords": m.keywords(x), "majority": m.ofMajority(x)}
		f.unmasked[name], f.masked[name] = r.MacroF1, f.Masked.MacroF1
		f.base[name] = map[string]float64{"keywords": f.Baselines["keywords"].MacroF1, "majority": f.Baselines["majority"].MacroF1}
		return r, err
	}
	s.env.Progress(stages.Progress{Text: "test", Unit: "rows", Total: int64(len(test.rows))})
	var err error
	if f.Test, err = one("test", test); err != nil {
		return nil, err
	}
	if gold == nil {
		return f, nil
	}
	s.env.Progress(stages.Progress{Text: "gold", Unit: "rows", Total: int64(len(gold.Rows))})
	g, err := one("gold", newSet(m.t, gold.Rows))
	if err != nil {
		return nil, err
	}
	f.Gold = &g
	if f.Leaked, f.example = leaked(trainRows, gold.Rows); f.Leaked > 0 {
		s.env.Log.Warn("gold rows were trained on: the figures flatter", "rows", f.Leaked, "example", f.example)
	}
	return f, nil
}

func (s *stage) thresholds(ctx context.Context, in stages.Inputs, t *taxonomy.Taxonomy) ([]float64, error) {
	r, err := in.Open(ctx, "thresholds")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, err
	}
	return classify.Thresholds(data, t)
}

// load fetches the model's files and puts it on the device.
func (s *stage) load(ctx context.Context, in stages.Inputs, t *taxonomy.Taxonomy, dev *device.Device) (classify.Loaded, error) {
	tree, err := in.Tree(ctx, "model")
	if err != nil {
		return classify.Loaded{}, err
	}
	dir, err := os.MkdirTemp(s.env.Scratch, "model-*")
	if err != nil {
		return classify.Loaded{}, err
	}
	if err := tree.Fetch(ctx, dir); err != nil {
		return classify.Loaded{}, err
	}
	return classify.LoadModel(filepath.Clean(dir), t, dev)
}

func readRows(ctx context.Context, in stages.Inputs, name string, t *taxonomy.Taxonomy) ([]rows.Row, error) {
	out, err := train.ReadRows(ctx, in, name, t)
	if err == nil && len(out) == 0 {
		err = stages.Fail(stages.CodeStage, "give split a larger share for it", "%s has no row", name)
	}
	return out, err
}

// check evaluates one demand.
func (s *stage) check(ctx context.Context, c Check, f *figures, in stages.Inputs, m *measurer, dev *device.Device, test set) (Result, error) {
	r := Result{ID: c.ID, On: c.On, Over: c.Over, Category: c.Category, Severity: c.Severity, Min: c.Min, Max: c.Max}
	report := f.Test
	if c.On == "gold" {
		report = *f.Gold
	}
	category := report.PerCategory[c.Category]
	switch c.ID {
	case "macro_f1":
		r.Observed = report.MacroF1
	case "micro_f1":
		r.Observed = report.MicroF1
	case "precision":
		r.Observed = category.Precision
	case "recall":
		r.Observed = category.Recall
	case "f1":
		r.Observed = category.F1
	case "support":
		r.Observed = float64(category.Support)
	case "tag_accuracy":
		r.Observed = tagAccuracy(report, c.Category)
	case "gain":
		r.Observed = f.unmasked[c.On] - f.base[c.On][c.Over]
	case "masked_gap":
		r.Observed = f.unmasked[c.On] - f.masked[c.On]
	case "leak":
		r.Observed = float64(f.Leaked)
		zero := 0.0
		r.Max = &zero
	case "reload":
		difference, err := s.reload(ctx, in, m, dev, test)
		if err != nil {
			return r, err
		}
		r.Observed = difference
		zero := 0.0
		r.Max = &zero
	default:
		return r, fmt.Errorf("unknown check %q", c.ID)
	}
	r.Observed = math.Round(r.Observed*1e4) / 1e4
	r.Passed = (r.Min == nil || r.Observed >= *r.Min) && (r.Max == nil || r.Observed <= *r.Max)
	r.Message = describe(r)
	return r, nil
}

func describe(r Result) string {
	name := r.ID
	if r.Category != "" {
		name += " of " + r.Category
	}
	name += " on " + r.On
	if r.Over != "" {
		name += " over " + r.Over
	}
	text := fmt.Sprintf("%s is %.4g", name, r.Observed)
	if r.Min != nil {
		text += fmt.Sprintf(", at least %.4g is demanded", *r.Min)
	}
	if r.Max != nil {
		text += fmt.Sprintf(", at most %.4g is allowed", *r.Max)
	}
	return text
}

// tagAccuracy of one category, or over all tags of all.
func tagAccuracy(r metrics.Report, category string) float64 {
	if category != "" {
		return r.PerCategory[category].TagAccuracy
	}
	right, all := 0.0, 0
	for _, c := range r.PerCategory {
		right += c.TagAccuracy * float64(c.TagSupport)
		all += c.TagSupport
	}
	if all == 0 {
		return 0
	}
	return right / float64(all)
}

// reload reads the saved bytes a second time and returns the largest
// difference of a score.
func (s *stage) reload(ctx context.Context, in stages.Inputs, m *measurer, dev *device.Device, test set) (float64, error) {
	again, err := s.load(ctx, in, m.t, dev)
	if err != nil {
		return 0, err
	}
	defer again.Close()
	texts := test.texts[:min(32, len(test.texts))]
	a, err := m.model.Predict(ctx, texts)
	if err != nil {
		return 0, err
	}
	b, err := again.Predict(ctx, texts)
	if err != nil {
		return 0, err
	}
	largest := 0.0
	for i := range a {
		for k := range a[i].Scores {
			largest = math.Max(largest, math.Abs(float64(a[i].Scores[k]-b[i].Scores[k])))
		}
	}
	return largest, nil
}

func writeJSON(ctx context.Context, out stages.Outputs, name string, v any) error {
	w, err := out.Create(ctx, name, "application/json")
	if err != nil {
		return err
	}
	defer w.Abort()
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	return w.Commit()
}
