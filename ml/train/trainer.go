package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
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

	fail func(program) error // tests make programs fail here
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

func lengths(examples []Example) []int {
	out := make([]int, len(examples))
	for i, e := range examples {
		out[i] = max(len(e.IDs), len(e.Alt))
	}
	return out
}

// digest is of everything in the examples that a step depends on.
func digest(sets ...[]Example) string {
	h := sha256.New()
	for _, set := range sets {
		writeNumbers(h, []int32{int32(len(set))}) //nolint:gosec // sets are far smaller
		for _, e := range set {
			for _, ids := range [][]int32{e.IDs, e.Types, e.Alt, e.AltTypes, e.Tag} {
				writeNumbers(h, []int32{int32(len(ids))}) //nolint:gosec // texts are short
				writeNumbers(h, ids)
			}
			writeNumbers(h, e.Score)
			writeNumbers(h, e.Weight)
			writeNumbers(h, e.tagWeight())
		}
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}

func writeNumbers[T int32 | float32](h hash.Hash, v []T) {
	_ = binary.Write(h, binary.LittleEndian, v) // a hash takes everything
}

// accumulate makes a step run its batch in accumulation steps whose gradients are summed.
func (t *Trainer) accumulate(parts int) {
	t.accumulation = parts
	t.shapes = t.packing.shapes(parts)
}

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

// epochRandom is the generator of an epoch: the order of an epoch needs no history.
func (t *Trainer) epochRandom(epoch int) *rand.Rand {
	return rand.New(rand.NewPCG(t.o.Seed, uint64(epoch)+1)) //nolint:gosec // reproducible on purpose
}

func (t *Trainer) shuffle() {
	t.order = t.packing.epoch(t.epochRandom(t.epoch))
	t.cursor, t.lossSum, t.rowsSeen = 0, 0, 0
}

// StepsDone counts the done steps.
func (t *Trainer) StepsDone() int { return t.step }

// Total is the number of steps of the whole fit.
func (t *Trainer) Total() int { return t.total }

// Limit shortens the fit to steps, and its schedule with it. It must not be
// called once steps are done: they had the rates of a longer fit.
func (t *Trainer) Limit(steps int) {
	if t.step == 0 {
		t.total = min(max(steps, 1), t.total)
	}
}

// Epoch is the running epoch, from 0.
func (t *Trainer) Epoch() int { return t.epoch }

// Done reports whether all steps are done and their last epoch is over.
func (t *Trainer) Done() bool { return t.epoch >= t.o.Epochs || t.step >= t.total && t.cursor == 0 }

// EpochOver reports whether the running epoch has no batch left to do.
func (t *Trainer) EpochOver() bool { return t.cursor >= len(t.order) || t.step >= t.total }

// Shapes are the programs' shapes, the longest rows last.
func (t *Trainer) Shapes() []Shape { return t.shapes }

// Programs counts the programs of this fit, and those among them that were
// loaded because they had been compiled before.
func (t *Trainer) Programs() (all, loaded int) {
	return t.built, t.dev.Programs().Loaded - t.loaded
}

// AccumulationSteps is the number of passes over which the gradients of a batch are summed.
func (t *Trainer) AccumulationSteps() int { return t.accumulation }

// DoubleAccumulation takes twice as many accumulation steps, for a device whose memory a
// batch did not fit. The state is gone with the step that failed: Restore it. It
// reports whether smaller steps are possible.
func (t *Trainer) DoubleAccumulation() bool {
	if !slices.ContainsFunc(t.shapes, func(s Shape) bool { return s.Rows > 1 }) {
		return false
	}
	_ = device.Guard("free programs", func() error { t.freePrograms(); return nil })
	t.accumulate(2 * t.accumulation)
	return true
}

// alternates says which examples of a batch of the running epoch are read as Alt. It
// depends on epoch and batch alone, so a resumed fit makes the same choice.
func (t *Trainer) alternates(cursor int) func(int) bool {
	pick := rand.New(rand.NewPCG(t.o.Seed^0xa17, uint64(t.epoch)<<32|uint64(cursor))) //nolint:gosec // reproducible on purpose
	return func(int) bool { return pick.Float64() < t.o.AltProb }
}

func (t *Trainer) collator(examples []Example, alt func(int) bool, validation bool) collator {
	s := collator{examples: examples, categories: len(t.model.Spec.Categories), vocab: t.vocab.index, alt: alt, hidden: t.model.Spec.Encoder.HiddenSize}
	if t.cache != nil {
		s.states = t.cache.outputs(validation)
	}
	return s
}

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
	seeds := rand.New(rand.NewPCG(t.o.Seed^0xd20, uint64(t.step))) //nolint:gosec // reproducible on purpose
	s := t.shapes[b.bucket]
	src := t.collator(t.train, t.alternates(cursor), false)
	if h := t.wordDropout; h != nil {
		src.dropWords = func(ids, types []int32, example int) (left, leftTypes []int32) {
			return h.apply(ids, types, t.o.Seed, t.epoch, example)
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

// accumulationStep runs a batch, or a part of one: alone it makes the whole step and
// returns its loss.
func (t *Trainer) accumulationStep(a collated, s Shape, hyper []float32, seed uint32) (float64, error) {
	feed := t.feed(a, s, hyper, seed)
	defer finalize(feed)
	var out []*tensors.Tensor
	var err error
	if t.accumulation == 1 {
		out, err = t.run(program{stepProgram, s}, t.state, slices.Concat(t.constants(), feed))
	} else {
		if t.gradients == nil {
			for _, p := range t.trainable {
				t.gradients = append(t.gradients, tensors.FromFlatDataAndDimensions(make([]float32, p.Size()), p.Shape...))
			}
		}
		out, err = t.run(program{gradientProgram, s}, t.gradients, slices.Concat(t.state[:len(t.trainable)], t.constants(), feed))
	}
	if err != nil {
		return 0, err
	}
	last := out[len(out)-1]
	loss := float64(last.Value().(float32))
	last.MustFinalizeAll()
	if out = out[:len(out)-1]; t.accumulation == 1 {
		t.state = out
	} else {
		t.gradients = out
	}
	return loss, nil
}

// TrainLoss is the mean loss of the running epoch so far.
func (t *Trainer) TrainLoss() float64 { return t.lossSum / float64(max(t.rowsSeen, 1)) }

// NextEpoch begins the epoch after the one that is over.
func (t *Trainer) NextEpoch() {
	t.epoch++
	t.shuffle()
}

// WarmUp compiles every program that is missing, the largest first, and runs
// each once, so that what can fail fails now. It spoils the state: Restore a
// checkpoint afterwards. It returns how long an epoch will take, without its
// validation, how long that will, and the validation loss before the first step.
// report is told after each program.
func (t *Trainer) WarmUp(ctx context.Context, report func(done, total int)) (epoch, validation time.Duration, loss float64, err error) {
	if err := t.Compile(ctx, report); err != nil {
		return 0, 0, 0, err
	}
	began := time.Now()
	e, err := t.Validate(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	validation = time.Since(began)
	for i := len(t.packing.buckets) - 1; i >= 0; i-- {
		at := slices.IndexFunc(t.order, func(b batch) bool { return b.bucket == i })
		if at < 0 {
			continue
		}
		var took time.Duration
		for range 2 { // the first run touches memory for the first time
			if err := ctx.Err(); err != nil {
				return 0, 0, 0, err
			}
			began := time.Now()
			loss, _, err := t.advance(t.order[at], at)
			if err != nil {
				return 0, 0, 0, err
			}
			if math.IsNaN(loss) || math.IsInf(loss, 0) {
				return 0, 0, 0, &NonFiniteError{Step: 1, Epoch: 1, Batch: at + 1, Loss: loss, Examples: slices.Concat(t.order[at].rows...)}
			}
			took = time.Since(began)
		}
		epoch += took * time.Duration(t.packing.buckets[i].batches)
	}
	return epoch, validation, e.Loss, nil
}

// freePrograms drops the programs and the sums of gradients.
func (t *Trainer) freePrograms() {
	for key, g := range t.programs {
		g.Finalize()
		delete(t.programs, key)
	}
	finalize(t.gradients)
	t.gradients = nil
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
