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
// device, and where in the data it stands.
type Trainer struct {
	o     Options
	dev   *device.Device
	model *bert.Model
	train []Example
	val   []Example
	data  string // digest of both

	vocab     *vocabulary
	hider     *hider       // nil hides nothing
	trainable []bert.Param // host copies of the start; the live ones are in state
	frozen    []bert.Param
	state     []*tensors.Tensor // weights, first moments, second moments
	sums      []*tensors.Tensor // of gradients, while a batch is cut up
	frozenDev []*tensors.Tensor
	layout    *layout
	micro     int     // parts that a batch is cut into
	shapes    []Shape // of those, by class
	held      *boundary
	programs  map[program]*Graph

	perEpoch int
	total    int
	step     int // done
	epoch    int // running, from 0
	order    []batch
	cursor   int // next batch of order
	sum      float64
	seen     int
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
	t.layout = newLayout(lengths(train), lengths(val), o)
	t.cut(max(o.Accumulate, 1))
	t.perEpoch = len(t.layout.epoch(t.rng(0)))
	t.total = t.perEpoch * o.Epochs
	t.hider = newHider(o.Hide, model)
	t.vocab = newVocabulary(model, t.hider, train, val)
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
	return t, device.Guard("put the training state on the device", t.load)
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

// cut makes a step run its batch in parts whose gradients are summed.
func (t *Trainer) cut(parts int) {
	t.micro = parts
	t.shapes = t.layout.shapes(parts)
}

func (t *Trainer) load() error {
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

// rng is the generator of an epoch: the order of an epoch needs no history.
func (t *Trainer) rng(epoch int) *rand.Rand {
	return rand.New(rand.NewPCG(t.o.Seed, uint64(epoch)+1)) //nolint:gosec // reproducible on purpose
}

func (t *Trainer) shuffle() {
	t.order = t.layout.epoch(t.rng(t.epoch))
	t.cursor, t.sum, t.seen = 0, 0, 0
}

// Step counts the done steps.
func (t *Trainer) Step() int { return t.step }

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

// MicroBatches is the number of parts that a batch is cut into.
func (t *Trainer) MicroBatches() int { return t.micro }

// Halve cuts batches into twice as many parts, for a device whose memory they
// did not fit. The state is gone with the step that failed: Restore it. It
// reports whether smaller parts are possible.
func (t *Trainer) Halve() bool {
	if !slices.ContainsFunc(t.shapes, func(s Shape) bool { return s.Rows > 1 }) {
		return false
	}
	_ = device.Guard("free programs", func() error { t.free(); return nil })
	t.cut(2 * t.micro)
	return true
}

// alt says which reading an example has in a batch of the running epoch. It
// depends on epoch and batch alone, so a resumed fit makes the same choice.
func (t *Trainer) alt(cursor int) func(int) bool {
	pick := rand.New(rand.NewPCG(t.o.Seed^0xa17, uint64(t.epoch)<<32|uint64(cursor))) //nolint:gosec // reproducible on purpose
	return func(int) bool { return pick.Float64() < t.o.AltProb }
}

func (t *Trainer) source(examples []Example, alt func(int) bool, validation bool) source {
	s := source{examples: examples, categories: len(t.model.Spec.Categories), vocab: t.vocab.index, alt: alt, hidden: t.model.Spec.Encoder.HiddenSize}
	if t.held != nil {
		s.states = t.held.of(validation)
	}
	return s
}

// Next makes one step and returns its loss and the number of rows.
func (t *Trainer) Next() (loss float64, rows int, err error) {
	b := t.order[t.cursor]
	loss, tokens, err := t.advance(b, t.cursor)
	if err != nil {
		return 0, 0, err
	}
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return loss, 0, &NonFinite{Step: t.step + 1, Epoch: t.epoch + 1, Batch: t.cursor + 1, Loss: loss, Examples: slices.Concat(b.rows...)}
	}
	t.step++
	t.cursor++
	rows = b.texts()
	t.sum += loss * float64(rows)
	t.seen += rows
	t.Tokens += int64(tokens)
	t.Padded += int64(t.micro * t.shapes[b.class].tokens())
	return loss, rows, nil
}

// advance replaces the state by that after one more step on b.
func (t *Trainer) advance(b batch, cursor int) (loss float64, tokens int, err error) {
	n := float64(t.step + 1)
	hyper := []float32{float32(b.texts()), float32(t.o.lr(t.step, t.total)), float32(1 / (1 - math.Pow(beta1, n))), float32(1 / math.Sqrt(1-math.Pow(beta2, n))), 0}
	seeds := rand.New(rand.NewPCG(t.o.Seed^0xd20, uint64(t.step))) //nolint:gosec // reproducible on purpose
	s := t.shapes[b.class]
	src := t.source(t.train, t.alt(cursor), false)
	if h := t.hider; h != nil {
		src.hide = func(ids, types []int32, example int) (left, leftTypes []int32) {
			return h.of(ids, types, t.o.Seed, t.epoch, example)
		}
	}
	what := fmt.Sprintf("step %d of %d rows of %d tokens", t.step+1, s.Rows, s.Length)
	err = device.Guard(what, func() error {
		for i, part := range deal(b.rows, t.micro) {
			a := src.layOut(s, part)
			tokens += a.tokens
			if i > 0 {
				hyper[4] = 1 // go on summing
			}
			l, err := t.part(a, s, hyper, seeds.Uint32())
			if err != nil {
				return err
			}
			loss += l
		}
		if t.micro == 1 {
			return nil
		}
		out, err := t.run(program{apply, Shape{}}, t.state, append(slices.Clone(t.sums), numbers(hyper)))
		if err == nil {
			t.state = out
		}
		return err
	})
	return loss, tokens, err
}

// part runs a batch, or a part of one: alone it makes the whole step.
func (t *Trainer) part(a arrays, s Shape, hyper []float32, seed uint32) (float64, error) {
	feed := t.feed(a, s, hyper, seed)
	defer finalize(feed)
	var out []*tensors.Tensor
	var err error
	if t.micro == 1 {
		out, err = t.run(program{step, s}, t.state, slices.Concat(t.constants(), feed))
	} else {
		if t.sums == nil {
			for _, p := range t.trainable {
				t.sums = append(t.sums, tensors.FromFlatDataAndDimensions(make([]float32, p.Size()), p.Shape...))
			}
		}
		out, err = t.run(program{sum, s}, t.sums, slices.Concat(t.state[:len(t.trainable)], t.constants(), feed))
	}
	if err != nil {
		return 0, err
	}
	last := out[len(out)-1]
	loss := float64(last.Value().(float32))
	last.MustFinalizeAll()
	if out = out[:len(out)-1]; t.micro == 1 {
		t.state = out
	} else {
		t.sums = out
	}
	return loss, nil
}

// TrainLoss is the mean loss of the running epoch so far.
func (t *Trainer) TrainLoss() float64 { return t.sum / float64(max(t.seen, 1)) }

// NextEpoch begins the epoch after the one that is over.
func (t *Trainer) NextEpoch() {
	t.epoch++
	t.shuffle()
}

// Rehearse compiles every program that is missing, the largest first, and runs
// each once, so that what can fail fails now. It spoils the state: Restore a
// snapshot afterwards. It returns how long an epoch will take, without its
// validation, how long that will, and the validation loss before the first step.
// report is told after each program.
func (t *Trainer) Rehearse(ctx context.Context, report func(done, total int)) (epoch, validation time.Duration, loss float64, err error) {
	if err := t.Compile(ctx, report); err != nil {
		return 0, 0, 0, err
	}
	began := time.Now()
	e, err := t.Validate(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	validation = time.Since(began)
	for class := len(t.layout.classes) - 1; class >= 0; class-- {
		at := slices.IndexFunc(t.order, func(b batch) bool { return b.class == class })
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
				return 0, 0, 0, &NonFinite{Step: 1, Epoch: 1, Batch: at + 1, Loss: loss, Examples: slices.Concat(t.order[at].rows...)}
			}
			took = time.Since(began)
		}
		epoch += took * time.Duration(t.layout.classes[class].batches)
	}
	return epoch, validation, e.Loss, nil
}

// free drops the programs and the sums.
func (t *Trainer) free() {
	for key, g := range t.programs {
		g.Finalize()
		delete(t.programs, key)
	}
	finalize(t.sums)
	t.sums = nil
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
		t.free()
		finalize(t.state)
		finalize(t.frozenDev)
		return nil
	})
}
