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
	built       int
	loaded      int // of other fits on the device
}

// New prepares a fit of model, which it changes only in Export.
func New(model *bert.Model, dev *device.Device, train, val []Example, o Options) (*Trainer, error) {
	t := &Trainer{o: o, dev: dev, model: model, train: train, val: val, data: digest(train, val), programs: map[program]*Graph{}, loaded: dev.Programs().Loaded}
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
		if o.FreezeEmbed && p.Layer < 0 || o.FreezeLayers > 0 && p.Layer < o.FreezeLayers {
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
		t.state[i] = tensors.FromFlatDataAndDimensions(slices.Clone(p.Data), p.Shape...)
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
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, 0, &NonFiniteError{Step: t.step + 1, Epoch: t.epoch + 1, Batch: t.cursor + 1, Loss: loss, Examples: slices.Concat(b.rows...)}
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

// advance replaces the state by that after one more step on b.
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
	return loss, tokens, err
}

// TrainLoss is the mean loss of the running epoch so far.
func (t *Trainer) TrainLoss() float64 { return t.lossSum / float64(max(t.rowsSeen, 1)) }

// NextEpoch begins the epoch after the one that is over.
func (t *Trainer) NextEpoch() {
	t.epoch++
	t.shuffle()
}

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
