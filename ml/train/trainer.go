// Package train fits a bert.Model to examples, step by step: the caller drives
// every step, so that cancelling, checkpoints and budgets live outside. Equal
// options, data and device give byte-identical weights, over a resume too.
//
// The way of a fit: New packs the examples (packing.go), keeps the embedding rows that they
// use (vocabulary.go) and puts the weights on the device (trainer.go). Compile builds the
// programs (programs.go, graphs.go) and runs frozen layers once (frozen_cache.go); WarmUp
// tries them all. Step takes the next batch, lays it out (collate.go, word_dropout.go), and
// runs it at once or in accumulation steps (accumulate.go) with AdamW at the step's learning
// rate (optimizer.go). Validate answers for the validation examples (evaluate.go), Save and
// Restore keep the whole state (checkpoint.go), Export makes a model.
//
// Beside ml/bert it imports ml/device for its programs and ml/encoder for the format of
// checkpoints. The benchmarks next to PyTorch are in train/peer.
package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
)

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

// Trainer holds the state of a fit: weights and moments as tensors of the
// device, and where in the data it stands. It is for one goroutine.
type Trainer struct {
	o     Options
	dev   *device.Device
	model *bert.Model
	train []Example
	val   []Example
	data  string // digest of both

	vocab        *vocabulary
	wordDropout  *wordDropout // nil hides nothing
	trainable    []bert.Param // host copies of the start; the live ones are in state
	frozen       []bert.Param
	state        []*tensors.Tensor // weights, first moments, second moments
	gradients    []*tensors.Tensor // their sum, over the accumulation steps of a batch; nil without
	frozenDev    []*tensors.Tensor
	packing      *packing
	accumulation int     // steps of a batch
	shapes       []Shape // of those steps, by bucket
	cache        *frozenCache
	programs     map[program]*Graph
	ready        map[program]bool // those whose code is there

	perEpoch int
	total    int
	step     int // done
	epoch    int // running, from 0
	order    []batch
	cursor   int // next batch of order
	lossSum  float64
	rowsSeen int
	// Tokens counts real and padded tokens of all steps.
	Tokens, Padded int64
	// CompileTime is the time spent on building programs, loading included.
	CompileTime time.Duration
	// Compiled is how long each program took that was compiled, by what it does.
	Compiled map[string][]time.Duration
	// OnCompile, if not nil, is told before programs are compiled because they were not
	// kept: what those do that are not there yet, and whether they will be kept.
	OnCompile func(does []string, kept bool)
	built     int
	loaded    int // of other fits on the device
}

// New prepares a fit of model, which it changes only in Export.
func New(model *bert.Model, dev *device.Device, train, val []Example, o Options) (*Trainer, error) {
	t := &Trainer{o: o, dev: dev, model: model, train: train, val: val, data: digest(train, val), programs: map[program]*Graph{}, ready: map[program]bool{}, Compiled: map[string][]time.Duration{}, loaded: dev.Programs().Loaded}
	t.packing = newPacking(lengths(train), lengths(val), o)
	t.accumulate(max(o.Accumulate, 1))
	t.perEpoch = len(t.packing.epoch(t.epochRandom(0)))
	t.total = t.perEpoch * o.Epochs
	t.wordDropout = newWordDropout(o.WordDropout, model)
	t.vocab = newVocabulary(model, t.wordDropout, train, val)
	for _, p := range model.Params {
		if p.Name == bert.WordEmbeddings {
			p = t.vocab.compact(p)
		}
		if p.Constant || o.FreezeEmbed && p.Layer < 0 || o.FreezeLayers > 0 && p.Layer < o.FreezeLayers {
			t.frozen = append(t.frozen, p)
		} else {
			t.trainable = append(t.trainable, p)
		}
	}
	t.shuffle()
	return t, device.Guard("put the training state on the device", t.loadState)
}

// loadState puts the first state and what is frozen on the device.
func (t *Trainer) loadState() error {
	zero := func(p bert.Param) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(make([]float32, p.Size()), p.Shape...)
	}
	n := len(t.trainable)
	t.state = make([]*tensors.Tensor, 3*n)
	for i, p := range t.trainable {
		t.state[i] = tensors.FromFlatDataAndDimensions(p.Data, p.Shape...)
		t.state[n+i], t.state[2*n+i] = zero(p), zero(p)
	}
	for _, p := range t.frozen {
		x := tensors.FromFlatDataAndDimensions(p.Data, p.Shape...)
		if err := x.ToDevice(t.dev.Backend, 0); err != nil {
			return err
		}
		t.frozenDev = append(t.frozenDev, x)
	}
	return nil
}

// StepsDone counts the done steps.
func (t *Trainer) StepsDone() int { return t.step }

// Total is the number of steps of the whole fit.
func (t *Trainer) Total() int { return t.total }

// Epoch is the running epoch, from 0.
func (t *Trainer) Epoch() int { return t.epoch }

// Done reports whether all steps are done and their last epoch is over.
func (t *Trainer) Done() bool { return t.epoch >= t.o.Epochs || t.step >= t.total && t.cursor == 0 }

// EpochOver reports whether the running epoch has no batch left to do.
func (t *Trainer) EpochOver() bool { return t.cursor >= len(t.order) || t.step >= t.total }

// Shapes are the programs' shapes, the longest rows last.
func (t *Trainer) Shapes() []Shape { return t.shapes }

// Step makes one step and returns its loss and the number of rows.
func (t *Trainer) Step() (loss float64, rows int, err error) {
	b := t.order[t.cursor]
	loss, tokens, err := t.advance(b, t.cursor)
	if err != nil {
		return 0, 0, err
	}
	t.step++
	t.cursor++
	rows = b.texts()
	t.lossSum += loss * float64(rows)
	t.rowsSeen += rows
	t.Tokens += int64(tokens)
	t.Padded += int64(t.accumulation * t.shapes[b.bucket].tokens())
	return loss, rows, nil
}

// advance replaces the state by that after one more step on b. A loss that is no number is a
// *NonFiniteError.
func (t *Trainer) advance(b batch, cursor int) (loss float64, tokens int, err error) {
	n := float64(t.step + 1)
	hyper := []float32{float32(b.texts()), float32(t.o.learningRate(t.step, t.total)), float32(1 / (1 - math.Pow(beta1, n))), float32(1 / math.Sqrt(1-math.Pow(beta2, n))), 0}
	seeds := rand.New(rand.NewPCG(t.o.Seed^dropoutStream, uint64(t.step))) //nolint:gosec // reproducible on purpose
	s := t.shapes[b.bucket]
	src := t.collator(t.train, t.alternates(cursor), false)
	if d := t.wordDropout; d != nil {
		src.dropWords = func(ids, types []int32, example int) (left, leftTypes []int32) {
			return d.apply(ids, types, t.o.Seed, t.epoch, example)
		}
	}
	what := fmt.Sprintf("step %d of %d rows of %d tokens", t.step+1, s.Rows, s.Length)
	err = device.Guard(what, func() error {
		for i, part := range spread(b.rows, t.accumulation) {
			a := src.collate(s, part)
			tokens += a.tokens
			if i > 0 {
				hyper[hyperAccumulate] = 1
			}
			l, err := t.accumulationStep(a, s, hyper, seeds.Uint32())
			if err != nil {
				return err
			}
			loss += l
		}
		if t.accumulation == 1 {
			return nil
		}
		out, err := t.run(program{updateProgram, Shape{}}, t.state, append(slices.Clone(t.gradients), numbers(hyper)))
		if err == nil {
			t.state = out
		}
		return err
	})
	if err == nil && nonFinite(loss) {
		err = &NonFiniteError{Step: t.step + 1, Epoch: t.epoch + 1, Batch: cursor + 1, Loss: loss, Examples: slices.Concat(b.rows...)}
	}
	return loss, tokens, err
}

// TrainLoss is the mean loss of the running epoch so far.
func (t *Trainer) TrainLoss() float64 { return t.lossSum / float64(max(t.rowsSeen, 1)) }

// NextEpoch begins the epoch after the one that is over.
func (t *Trainer) NextEpoch() {
	t.epoch++
	t.shuffle()
}

// Streams of random numbers: what a fit draws of one kind depends on no draw of another.
// The order of an epoch has the seed itself.
const (
	alternateStream   = 0xa17 // which texts are read as Alt, by epoch and batch
	dropoutStream     = 0xd20 // seeds of the network's dropout, by step
	wordDropoutStream = 0x41d // which words are hidden, by epoch and example
)

// epochRandom is the generator of an epoch: the order of an epoch needs no history.
func (t *Trainer) epochRandom(epoch int) *rand.Rand {
	return rand.New(rand.NewPCG(t.o.Seed, uint64(epoch)+1)) //nolint:gosec // reproducible on purpose
}

// shuffle makes the batches of the running epoch.
func (t *Trainer) shuffle() {
	t.order = t.packing.epoch(t.epochRandom(t.epoch))
	t.cursor, t.lossSum, t.rowsSeen = 0, 0, 0
}

// alternates says which examples of a batch of the running epoch are read as Alt. It
// depends on epoch and batch alone, so a resumed fit makes the same choice.
func (t *Trainer) alternates(cursor int) func(int) bool {
	pick := rand.New(rand.NewPCG(t.o.Seed^alternateStream, uint64(t.epoch)<<32|uint64(cursor))) //nolint:gosec // reproducible on purpose
	return func(int) bool { return pick.Float64() < t.o.AltProb }
}

// Weights copies the trainable weights from the device.
func (t *Trainer) Weights() (weights [][]float32, err error) {
	err = device.Guard("copy the weights", func() error {
		for i := range t.trainable {
			weights = append(weights, tensors.MustCopyFlatData[float32](t.state[i]))
		}
		return nil
	})
	return weights, err
}

// Export returns the model with the given trainable weights, as Weights gave
// them after steps steps.
func (t *Trainer) Export(weights [][]float32, steps int) (*bert.Model, error) {
	if len(weights) != len(t.trainable) {
		return nil, fmt.Errorf("export: %d weights for %d parameters", len(weights), len(t.trainable))
	}
	by := map[string][]float32{}
	for i, p := range t.trainable {
		by[p.Name] = weights[i]
	}
	out := *t.model
	out.Params = slices.Clone(t.model.Params)
	for i, p := range out.Params {
		data, ok := by[p.Name]
		if !ok {
			continue
		}
		if p.Name == bert.WordEmbeddings {
			data = t.vocab.expand(p.Data, data, t.decayed(p, steps))
		}
		out.Params[i].Data = data
	}
	return &out, nil
}

// Trainable returns the parameters that are fitted, in the order of Weights.
func (t *Trainer) Trainable() []bert.Param { return t.trainable }

// finalize frees tensors; donated ones are gone already.
func finalize(all []*tensors.Tensor) {
	for _, x := range all {
		x.MustFinalizeAll()
	}
}

// Close frees the device's memory.
func (t *Trainer) Close() {
	_ = device.Guard("free the training state", func() error {
		t.freePrograms()
		finalize(t.state)
		finalize(t.frozenDev)
		return nil
	})
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

func nonFinite[T float32 | float64](x T) bool { return x-x != 0 }

// nonFiniteWeight names the batch after which a parameter is no number.
func (t *Trainer) nonFiniteWeight(parameter string) *NonFiniteError {
	e := &NonFiniteError{Step: t.step, Epoch: t.epoch + 1, Batch: t.cursor, Loss: math.NaN(), Weight: parameter}
	if t.cursor > 0 {
		e.Examples = slices.Concat(t.order[t.cursor-1].rows...)
	}
	return e
}
