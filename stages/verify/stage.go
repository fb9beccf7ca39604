// Package verify measures a model on the test split and on a gold set, next to
// the keywords and majority baselines, and decides whether it is good enough.
//
// stage.go is the kind, options.go its options, documents.go what it writes.
// measure.go lets every classifier answer, vectors.go the model from kept vectors of texts;
// figures.go, segments.go and languages.go compute what metrics.json holds, gold.go leaves
// out what train calibrated on. checks.go lists the checks and evaluates one: a new check is
// a row there, its id in the enum of Check.ID and an observer, in check_score.go if a score
// of the set is all that it looks at. sample.go picks the rows that explain a failure.
package verify

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sprint-ml/sprint/ml/classify"
	"github.com/sprint-ml/sprint/ml/device"
	"github.com/sprint-ml/sprint/ml/keywords"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages"
	"github.com/sprint-ml/sprint/stages/dataset"
	"github.com/sprint-ml/sprint/stages/resources"
	"github.com/sprint-ml/sprint/stages/rows"
	"github.com/sprint-ml/sprint/stages/storeio"
)

// Kind returns the kind "verify".
func Kind() stages.Kind {
	return stages.Kind{
		Name:    "verify",
		Version: 10,
		Doc: `Measures the model and fails the run (code 5) if a check does not hold.
Figures are precision, recall and F1 per category, macro-F1 over categories with
at least 8 positives, micro-F1 and tag accuracy, with 95 % intervals from 2000
resamples of the rows: on the test split, whose labels the rules made, and on a
gold set labelled by hand, next to what the rules alone and the more frequent
value reach, and what the heads reached before the encoder was tuned, where it was;
gold rows on which train calibrated are left out. Rows whose language is known, as where
rules are by language, have figures by language too. A gold
set has a title and labels by hand: in a column label (sports, or crime/theft with its tag,
several joined by separator; empty or none is of no category), or in a 0/1 column of each
category, or <category>_score, with <category>_tag. A gain is resampled on the same rows for both (paired). Where the taxonomy says
labels: single, every classifier answers one category a row: the likeliest, by rules the
one with the most weight behind it, then of the strongest rule, then the first of the
taxonomy; the figures have accuracy and what is taken for what too. A failed check
commits all figures, with rows that explain it; a re-run measures nothing again.
A model with linear heads answers from the vectors of texts, which the store keeps: who
verifies it again, on more gold or after other rules, embeds what is new. A tuned encoder
is one of its own and shares none with the encoder that it was; other heads keep none.
Latency is of the machine and the moment: its checks stand in timings.json, and if
one fails nothing is committed, so that a re-run measures again.

Checks, with the limit of those that need none:
` + reference(),
		Example: "gold: gold.csv\nchecks:\n  - {id: macro_f1, set: gold, min: 0.60}\n  - {id: gain, set: gold, over: keywords, min: 0.05, lower: 0}\n  - {id: recall, set: gold, category: emergencies, min: 0.8}\n  - {id: weak_domain, set: gold, severity: warn}\n",
		Topics:  topics(),
		Inputs: func(any) []stages.Input {
			return []stages.Input{{Name: "model"}, {Name: "thresholds"}, {Name: "train"}, {Name: "test"}, {Name: "calibration", Optional: true}, {Name: "heads", Optional: true}}
		},
		Outputs: func(any) []stages.Output {
			return []stages.Output{{Name: "metrics"}, {Name: "checks"}, {Name: "predictions"}, {Name: "timings", Volatile: true}}
		},
		Effort:   func(any) (string, float64) { return "test", 1 },
		Options:  func() any { return new(Options) },
		New:      func(options any, env stages.Env) stages.Stage { return &stage{o: options.(*Options), env: env} },
		Isolated: stages.Always,
	}
}

type stage struct {
	o   *Options
	env stages.Env
}

// Preflight reads the gold set, so that a bad one fails before hours of training.
func (s *stage) Preflight(ctx context.Context) error {
	t, err := dataset.Taxonomy(s.env.Taxonomy)
	if err != nil {
		return err
	}
	_, err = s.gold(ctx, t)
	return err
}

// Run measures, evaluates the checks and writes all outputs.
func (s *stage) Run(ctx context.Context, in stages.Inputs, out stages.Outputs) error {
	t, err := dataset.Taxonomy(s.env.Taxonomy)
	if err != nil {
		return err
	}
	gold, err := s.gold(ctx, t)
	if err != nil {
		return err
	}
	if gold, err = s.withoutCalibrationRows(ctx, in, gold); err != nil {
		return err
	}
	dev, err := resources.OpenDevice(ctx, s.env, s.env.Device)
	if err != nil {
		return err
	}
	defer dev.Close()
	s.env.Note("device", strings.TrimSpace(dev.Name+" "+dev.Plugin))
	trainRows, sets, err := readSets(ctx, in, t, gold)
	if err != nil {
		return err
	}
	thresholds, err := storeio.ReadFile(ctx, in, "thresholds")
	if err != nil {
		return err
	}
	m := &measurer{t: t, matcher: keywords.New(t), majority: majority(t, newEvaluationSet(t, "train", trainRows).truth)}
	if m.thresholds, err = classify.Thresholds(thresholds, t); err != nil {
		return err
	}
	model, err := s.load(ctx, in, t, dev)
	if err != nil {
		return err
	}
	defer model.Close()
	m.model, m.hides, m.progress = model, model.Model().Tokenizer.Mask(), s.env.Progress
	model.Answered = m.answered
	if err := s.answerSets(ctx, m, model, dev, sets); err != nil {
		return err
	}
	if err := s.measureHeads(ctx, in, m, dev, sets); err != nil {
		return err
	}
	f, err := m.measure(ctx, trainRows, sets...)
	if err != nil {
		return err
	}
	if err := s.drift(ctx, m, f, trainRows); err != nil {
		return err
	}
	s.warn(t, f)
	if gold != nil {
		s.warnLanguages(trainRows, gold.Rows, f.Details["gold"].Segments[byLanguage])
	}
	s.env.Note(stages.NoteFigures, f.headline(sets[len(sets)-1].name))
	return s.decide(ctx, in, out, m, f, dev, sets[len(sets)-1])
}

// decide evaluates the checks and writes all outputs; last is the set that
// counts.
func (s *stage) decide(ctx context.Context, in stages.Inputs, out stages.Outputs, m *measurer, f *figures, dev *device.Device, last *evaluationSet) error {
	artifact, _ := in.Artifact("model")
	timings, err := m.measureLatency(ctx, dev.Name, last)
	if err != nil {
		return err
	}
	checks := Checks{Passed: true, Model: artifact.Digest, Checks: []Result{}}
	for _, c := range s.o.Checks {
		r, err := c.evaluate(ctx, checkInput{figures: f, timings: timings, m: m, stage: s, artifacts: in, dev: dev})
		if err != nil {
			return err
		}
		if volatile(c.ID) {
			timings.Checks = append(timings.Checks, r)
			continue
		}
		checks.Checks = append(checks.Checks, r)
		checks.Passed = checks.Passed && !r.failed()
	}
	for _, r := range slices.Concat(checks.Checks, timings.Checks) {
		if !r.Passed {
			s.env.Log.Warn("check failed", "check", r.Message, "severity", r.Severity)
		}
	}
	for name, v := range map[string]any{"metrics": f.Metrics, "checks": checks, "timings": timings} {
		if err := storeio.WriteJSON(ctx, out, name, v); err != nil {
			return err
		}
	}
	if err := m.writePredictions(ctx, out, last); err != nil {
		return err
	}
	if failed := messages(checks.Checks); failed != "" {
		return &stages.Verdict{Code: stages.CodeGate, Message: failed, Hint: "improve the rules, the data or the training; the figures are in the artifacts metrics and checks"}
	}
	if slow := messages(timings.Checks); slow != "" {
		return stages.Fail(stages.CodeGate, "run again on a machine that is idle, or allow more; nothing else failed", "%s", slow)
	}
	return nil
}

// maxMessages is how many failed checks a message tells; checks.json has all.
const maxMessages = 3

// messages joins those of the checks that fail the run.
func messages(results []Result) string {
	var failed []string
	for _, r := range results {
		if r.failed() {
			failed = append(failed, r.Message)
		}
	}
	if more := len(failed) - maxMessages; more > 0 {
		failed = append(failed[:maxMessages], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(failed, "; ")
}

// warn says what makes the figures worth less than they seem.
func (s *stage) warn(t *taxonomy.Taxonomy, f *figures) {
	if n := f.Leaked; n > 0 {
		s.env.Log.Warn("gold rows were trained on: the figures flatter", "rows", n, "example", shorten(f.sets["gold"].rows[f.leaks["gold"][0].row].Title))
	}
	if f.Gold == nil {
		return
	}
	if n := f.Details["gold"].Repeated; n > 0 {
		s.env.Log.Warn("gold rows are in the gold set more than once: they count as often", "rows", n)
	}
	for k, c := range t.Categories {
		if f.Gold.PerCategory[c.Name].Support == 0 {
			s.env.Log.Warn("no gold row is positive for this category: nothing is known of it", "category", c.Name)
		}
		unknown, example := 0, ""
		for _, truth := range f.sets["gold"].truth {
			if tag := truth.Tags[k]; truth.Positive[k] && c.TagIndex(tag) < 0 {
				unknown, example = unknown+1, tag
			}
		}
		if unknown > 0 {
			s.env.Log.Warn("gold tags are not in the taxonomy: no answer to them is right", "category", c.Name, "rows", unknown, "example", example)
		}
	}
}

func (s *stage) gold(ctx context.Context, t *taxonomy.Taxonomy) (*rows.Gold, error) {
	if s.o.Gold == "" {
		return nil, nil
	}
	g, err := rows.OpenGold(ctx, s.env.Files, s.o.Gold, s.o.Layout(), dataset.Categories(t))
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(dataset.CheckChoice(t, g.Rows), contradiction(t, g.Rows)); err != nil {
		return nil, stages.Fail(stages.CodeStage, "decide which of them is right and remove the other", "gold set %s: %w", s.o.Gold, err)
	}
	return g, nil
}

// majority is the baseline of what is the most frequent among the training rows.
func majority(t *taxonomy.Taxonomy, train []metrics.Truth) metrics.Answer {
	if t.Single {
		return metrics.Commonest(train, len(t.Categories))
	}
	return metrics.Majority(train, len(t.Categories))
}

// contradiction finds a row that is there twice with different labels.
func contradiction(t *taxonomy.Taxonomy, gold []rows.Row) error {
	first := map[string]int{}
	for i, r := range gold {
		id := rows.Identity(r)
		if id == "" {
			continue
		}
		j, again := first[id]
		if !again {
			first[id] = i
			continue
		}
		for k, c := range t.Categories {
			if gold[j].Labels[k].Score != r.Labels[k].Score {
				return fmt.Errorf("rows %d and %d are both %s, one is %s and the other is not: %q", j+1, i+1, id, c.Name, shorten(r.Title))
			}
		}
	}
	return nil
}

// load fetches the model's files and puts it on the device.
func (s *stage) load(ctx context.Context, in stages.Inputs, t *taxonomy.Taxonomy, dev *device.Device) (classify.LoadedModel, error) {
	dir, err := s.fetchTree(ctx, in, "model")
	if err != nil {
		return classify.LoadedModel{}, err
	}
	m, err := classify.LoadModel(dir, t, dev)
	return m, resources.Computed(err)
}

// fetchTree writes the files of an input into a folder of their own.
func (s *stage) fetchTree(ctx context.Context, in stages.Inputs, name string) (string, error) {
	tree, err := in.Tree(ctx, name)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(s.env.Scratch, name+"-*")
	if err != nil {
		return "", err
	}
	return dir, tree.Fetch(ctx, dir)
}

// readSets reads the rows of train, and makes the sets that are measured: test, and gold
// if there is one.
func readSets(ctx context.Context, in stages.Inputs, t *taxonomy.Taxonomy, gold *rows.Gold) (train []rows.Row, sets []*evaluationSet, err error) {
	if train, err = readRows(ctx, in, "train", t); err != nil {
		return nil, nil, err
	}
	test, err := readRows(ctx, in, "test", t)
	if err != nil {
		return nil, nil, err
	}
	if gold == nil {
		findLanguages(t, test, train)
		return train, []*evaluationSet{newEvaluationSet(t, "test", test)}, nil
	}
	findLanguages(t, test, train, gold.Rows)
	return train, []*evaluationSet{newEvaluationSet(t, "test", test), newEvaluationSet(t, "gold", gold.Rows)}, nil
}

func readRows(ctx context.Context, in stages.Inputs, name string, t *taxonomy.Taxonomy) ([]rows.Row, error) {
	out, err := dataset.ReadLabelled(ctx, in, name, t)
	if err == nil && len(out) == 0 {
		err = stages.Fail(stages.CodeStage, "give split a larger share for it", "%s has no row", name)
	}
	return out, err
}
