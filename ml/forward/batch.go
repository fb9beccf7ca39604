package forward

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/sprint-ml/sprint/ml/kernel"
)

const (
	// batchRows is about how many tokens a core computes at once: enough that weights
	// come from memory seldom, and few enough that what is computed stays near the core.
	batchRows = 192
	// gangRows is up to how many tokens all cores compute one batch together: fewer are
	// done sooner so than by one core.
	gangRows = 4 * kernel.Tallest
)

// Each calls visit with the vectors of texts, [n,H], batch by batch: those of the texts from
// from on, in their order. They are visit's own until it returns. No more than longest tokens
// of a text are looked at.
func (e *Encoder) Each(ctx context.Context, texts []Text, longest int, visit func(from int, vectors []float32) error) error {
	cores := runtime.GOMAXPROCS(0)
	// Who computes together needs the cores for itself: others would wait for the same ones.
	only := e.calls.Add(1) == 1
	defer e.calls.Add(-1)
	cuts := cut(texts, longest, cores)
	if workers := min(cores, len(cuts)); workers > 1 {
		return e.apart(ctx, texts, longest, cuts, workers, visit)
	}
	var g *gang
	if cores > 1 && len(cuts) > 0 && only {
		g = newGang(cores)
		defer g.end()
	}
	from := 0
	for _, to := range cuts {
		if err := ctx.Err(); err != nil {
			return err
		}
		vectors := make([]float32, (to-from)*e.config.HiddenSize)
		e.encode(g, texts[from:to], longest, vectors)
		if err := visit(from, vectors); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// apart lets each worker compute batches of its own, and help with the last ones when there are
// no others left. Results are taken in order, so that at most two batches a worker are held.
func (e *Encoder) apart(ctx context.Context, texts []Text, longest int, cuts []int, workers int, visit func(from int, vectors []float32) error) error {
	type batch struct {
		from, to int
		gang     *gang
		vectors  chan []float32 // nil once the context is done
	}
	gangs := make([]*gang, len(cuts))
	for i := range gangs {
		gangs[i] = &gang{size: workers}
	}
	todo, order := make(chan batch), make(chan batch, workers)
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all.Go(func() {
		defer close(order)
		defer close(todo)
		from := 0
		for i, to := range cuts {
			b := batch{from, to, gangs[i], make(chan []float32, 1)}
			select {
			case order <- b:
			case <-ctx.Done():
				for _, g := range gangs[i:] {
					g.end()
				}
				return
			}
			todo <- b
			from = to
		}
	})
	for range workers {
		all.Go(func() {
			for b := range todo {
				var vectors []float32
				if ctx.Err() == nil {
					vectors = make([]float32, (b.to-b.from)*e.config.HiddenSize)
					e.encode(b.gang, texts[b.from:b.to], longest, vectors)
				}
				b.gang.end()
				b.vectors <- vectors
			}
			for _, g := range slices.Backward(gangs) {
				if e.calls.Load() == 1 {
					g.join()
				}
			}
		})
	}
	for b := range order {
		vectors := <-b.vectors
		if vectors == nil {
			return ctx.Err()
		}
		if err := visit(b.from, vectors); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// cut says where batches of texts end: each has at most some batchRows tokens, and there are
// as many for each core. Among places that are about as good it takes that which pads least.
func cut(texts []Text, longest, cores int) []int {
	total := 0
	for _, t := range texts {
		total += tokens(t, longest)
	}
	left := 1 // batches
	if total > gangRows {
		// With one more for one of them, the others would wait for it.
		left = cores * ((total + cores*batchRows - 1) / (cores * batchRows))
	}
	var cuts []int
	from := 0
	for ; left > 1 && from < len(texts); left-- {
		target := (total + left - 1) / left
		n, best, least, size := 0, from, 0, 0
		for i := from; i < len(texts) && (n < target+target/8 || best == from); i++ {
			n += tokens(texts[i], longest)
			if waste := padded(n) - n; n >= target-target/8 && (best == from || waste < least) || i == len(texts)-1 && best == from {
				best, least, size = i+1, waste, n
			}
			if n > target+target/8 {
				break
			}
		}
		cuts, from, total = append(cuts, best), best, total-size
	}
	if from < len(texts) {
		cuts = append(cuts, len(texts))
	}
	return cuts
}
