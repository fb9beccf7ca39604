// Package frozen makes a model of labelled rows and the vectors that a frozen encoder gives
// for their texts: heads that ml/heads fits, and what an answer needs beside them.
//
// frozen.go is the fit and its options, labels.go what rows say, answer.go how the model
// answers: thresholds, the rules beside it, the alarm. documents.go says so to people. Kinds import this package; it imports
// no kind.
package frozen

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/heads"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/ml/taxonomy"
	"github.com/sprint-ml/sprint/stages/rows"
)

// Options of heads on a frozen encoder. The defaults were settled on three sets of news
// and are good on all; nothing chooses them by the rows.
type Options struct {
	Strength float64 `yaml:"strength" default:"3" above:"0" max:"1000000" doc:"how closely heads follow the labels: the loss, a sum over rows, has the squared weights over twice this added"`
	Balance  bool    `yaml:"balance" default:"true" doc:"rows of rare categories count more; with labels: single, and for tags"`
	Rounds   int     `yaml:"rounds" default:"3" min:"0" max:"100" doc:"with labels: single, times that the heads are fitted anew to their own answers for all rows, labelled or not"`
	Power    float64 `yaml:"power" default:"2" min:"1" max:"20" doc:"of the probabilities, which makes these answers surer"`
	Folds    int     `yaml:"folds" default:"5" min:"2" max:"100" doc:"parts of the rows, each answered for by heads of the others: they give the temperature, the thresholds and the agreement with the labels"`
	Sure     float64 `yaml:"sure" default:"0.6" min:"0" max:"1" doc:"without labels: single, the share of the held-out answers over a threshold with which the labels agree at least"`
	Silent   string  `yaml:"silent" default:"unknown" enum:"unknown|none" key:"set" doc:"without labels: single, what a row on which no rule fires is when thresholds are set: unknown, or of no category, which suits rules that miss little and lets few of such rows be answered"`
	Bonus    float64 `yaml:"bonus" default:"2" min:"0" max:"100" doc:"what the logit of a category gains where the rules name it, and without labels: single the others lose then; 0 leaves answers to the heads"`
	Alarm    float64 `yaml:"alarm" default:"0.7" min:"0" max:"1" doc:"agreement of held-out answers with the rules, as macro-F1, under which the rules answer alone: the encoder does not know this language; seven tenths of it where a chat model made most labels, which err themselves"`
}

func (o Options) of(seed int64) heads.Options {
	return heads.Options{C: o.Strength, Rounds: o.Rounds, Power: o.Power, Folds: o.Folds, Seed: uint64(seed), Sure: o.Sure, Silent: o.Silent == "none", Balance: o.Balance} //nolint:gosec // any 64 bits will do
}

// Set is what heads are fitted on.
type Set struct {
	Taxonomy *taxonomy.Taxonomy
	Rows     []rows.Row  // labels in the taxonomy's order
	Vectors  [][]float32 // of the rows, of length 1
	// None says that rows may be of no category where a row has one.
	None bool
	// MaskAbstain says that undecided labels do not count; else they are negative.
	MaskAbstain bool
	// HandWeight is how much labels of people count; others count 1.
	HandWeight float64
	Seed       int64
}

// Fit is a fitted model, but for its encoder.
type Fit struct {
	Linear *bert.Linear
	Answer Answer
	// Held are the answers for rows by heads that have not seen them, scores by row and
	// category as a bert.Prediction has them, without the rules.
	Held []bert.Prediction
	// Soft are the answers for rows by the heads themselves: probabilities by row and output,
	// at a temperature of 1. They are what tuning learns.
	Soft  [][]float32
	Known [][]bool // by category and row, whether the label counts
	Truth [][]bool // what it says
	// Loss is the mean cross entropy of the labelled rows, HeldLoss that of Held,
	// UntemperedLoss that of Held before the temperature.
	Loss, HeldLoss, UntemperedLoss float64
	Labelled                       int // rows
	// Curve is what labels bring, by their number; nil where rules made them.
	Curve []heads.Point

	alarm float64 // of the options
}

// Train fits heads to a set.
func Train(ctx context.Context, set *Set, o Options) (*Fit, error) {
	space, err := heads.NewSpace(set.Vectors)
	if err != nil {
		return nil, err
	}
	z := space.Features(set.Vectors)
	l := set.labels()
	h, err := heads.Train(ctx, z, l, o.of(set.Seed))
	if err != nil {
		return nil, err
	}
	linear := &bert.Linear{Mean: narrow(space.Mean), Scale: float32(space.Scale)}
	for k := range l.Outputs {
		linear.Score = append(linear.Score, narrow(h.W.Of(k)))
	}
	for c := range set.Taxonomy.Categories {
		tags, err := set.tags(ctx, z, c, o.of(set.Seed))
		if err != nil {
			return nil, fmt.Errorf("tags of %s: %w", set.Taxonomy.Categories[c].Name, err)
		}
		linear.Tag = append(linear.Tag, tags)
	}
	f := &Fit{Linear: linear, Answer: set.answer(h, o), alarm: set.alarm(o)}
	f.judge(set, l, h, z)
	if !set.byRules() {
		if f.Curve, err = heads.Curve(ctx, z, l, o.of(set.Seed), h.OutOfFold); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// judge compares answers with the labels.
func (f *Fit) judge(set *Set, l *heads.Labels, h *heads.Heads, z *heads.Features) {
	logits := make([]float64, len(h.OutOfFold))
	every := make([]int, z.Rows())
	for i := range every {
		every[i] = i
	}
	h.W.Logits(z, every, logits)
	f.Loss, f.HeldLoss, f.UntemperedLoss = l.Loss(logits, h.Temperature), l.Loss(h.OutOfFold, h.Temperature), l.Loss(h.OutOfFold, 1)
	k := l.Outputs
	spec := bert.Spec{Categories: make([]bert.Category, len(set.Taxonomy.Categories)), Single: l.Single, None: set.None, Temperature: h.Temperature}
	for i := range every {
		f.Soft = append(f.Soft, soft(logits[i*k:(i+1)*k], l.Single))
		row := narrow(h.OutOfFold[i*k : (i+1)*k])
		if l.Single {
			f.Held = append(f.Held, spec.Choose(row))
			continue
		}
		for c, x := range row {
			row[c] = float32(score(float64(x)))
		}
		f.Held = append(f.Held, bert.Prediction{Scores: row})
	}
	for c := range set.Taxonomy.Categories {
		known, truth := make([]bool, len(every)), make([]bool, len(every))
		for i := range every {
			known[i], truth[i] = l.Labelled(i, c), l.Positive(i, c)
		}
		f.Known, f.Truth = append(f.Known, known), append(f.Truth, truth)
	}
	for i := range every {
		if l.Known(i) {
			f.Labelled++
		}
	}
}

// Doubts reports whether the held-out answer for a row says otherwise than its label, or is
// less probable than sure.
func (f *Fit) Doubts(single bool, row int, sure float64) bool {
	held := f.Held[row]
	if single {
		top, p := held.Top()
		return p < sure || top >= 0 && f.Known[top][row] && !f.Truth[top][row] || top < 0 && slices.ContainsFunc(f.Truth, func(t []bool) bool { return t[row] })
	}
	for c, x := range held.Scores {
		p := (float64(x) + 1) / 2
		if f.Known[c][row] && ((p >= 0.5) != f.Truth[c][row] || max(p, 1-p) < sure) {
			return true
		}
	}
	return false
}

// soft are the probabilities of logits.
func soft(logits []float64, single bool) []float32 {
	out := narrow(logits)
	if single {
		return narrow(metrics.Softmax(out, 1))
	}
	for c, x := range logits {
		out[c] = float32((score(x) + 1) / 2)
	}
	return out
}

// score is that of a logit where a row may have several categories.
func score(logit float64) float64 { return math.Tanh(logit / 2) }

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, y := range x {
		out[i] = float32(y)
	}
	return out
}
