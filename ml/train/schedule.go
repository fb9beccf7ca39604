package train

import (
	"math"
	"math/rand/v2"
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

// Limit shortens the fit to steps, and its schedule with it. It must not be
// called once steps are done: they had the rates of a longer fit.
func (t *Trainer) Limit(steps int) {
	if t.step == 0 {
		t.total = min(max(steps, 1), t.total)
	}
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
