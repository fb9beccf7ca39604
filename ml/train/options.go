// Package train fits a bert.Model to examples, step by step: the caller drives
// every step, so that cancelling, checkpoints and budgets live outside. Equal
// options, data and device give byte-identical weights, over a resume too.
package train

import (
	"fmt"
	"math"
)

// Example is one row to learn from. Score, Tag and the weights have one entry
// per category; a weight of 0 masks its target.
type Example struct {
	IDs, Types []int32
	// Alt is the text with its rules' words masked out, used instead of IDs with
	// probability Options.AltProb; nil is none.
	Alt, AltTypes []int32
	Score         []float32
	Tag           []int32
	Weight        []float32 // of the score
	TagWeight     []float32 // of the tag; nil is that of the score
}

// tagWeight is the weight of each category's tag.
func (e Example) tagWeight() []float32 {
	if e.TagWeight == nil {
		return e.Weight
	}
	return e.TagWeight
}

// Options of a fit. Field words are those of the plan.
type Options struct {
	Epochs       int
	BatchSize    int // texts of a batch at most
	BatchTokens  int // padded tokens of a batch at most
	MaxShapes    int // static shapes that programs are compiled for
	LearningRate float64
	HeadScale    float64 // learning rate of the heads over that of the encoder
	LayerDecay   float64 // factor per layer below the top; 1 is none
	Warmup       float64 // share of the steps
	Schedule     string  // linear or cosine
	WeightDecay  float64
	Clip         float64 // global gradient norm; 0 is none
	Dropout      float64
	Smoothing    float64 // of the tag's target
	ScoreWeight  float64
	TagWeight    float64
	AltProb      float64
	WordDropout  WordDropout `json:"Hide"` // the name in checkpoints
	Seed         uint64
	FreezeEmbed  bool
	FreezeLayers int  // lowest encoder layers; includes the embeddings
	Half         bool // multiply matrices in bfloat16
	Accumulate   int  // accumulation steps of a batch; 0 is 1
}

// AdamW's constants as in PyTorch; GoMLX's own epsilon of 1e-7 drifts.
const (
	beta1   = 0.9
	beta2   = 0.999
	epsilon = 1e-8
)

// learningRate is the learning rate of a step counted from 0: linear warm-up, then
// linear or cosine decay to 0.
func (o Options) learningRate(step, total int) float64 {
	warm := int(math.Ceil(o.Warmup * float64(total)))
	if step < warm {
		return o.LearningRate * float64(step+1) / float64(warm)
	}
	left := float64(total-step) / float64(max(total-warm, 1))
	if o.Schedule == "cosine" {
		return o.LearningRate * 0.5 * (1 + math.Cos(math.Pi*(1-left)))
	}
	return o.LearningRate * left
}

// NonFiniteError says that the loss, or a weight, is no number any more.
type NonFiniteError struct {
	Step, Epoch, Batch int
	Loss               float64
	Weight             string // the parameter's name; empty if it is the loss
	Examples           []int  // of the batch
}

func (e *NonFiniteError) Error() string {
	if e.Weight != "" {
		return fmt.Sprintf("the weights %s are no numbers after step %d (epoch %d, batch %d)", e.Weight, e.Step, e.Epoch, e.Batch)
	}
	return fmt.Sprintf("the loss is %v at step %d (epoch %d, batch %d)", e.Loss, e.Step, e.Epoch, e.Batch)
}
