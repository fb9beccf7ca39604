package train

import (
	"context"
	"slices"

	"github.com/gomlx/compute/dtypes"
	gshapes "github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
)

// frozenCacheLimit is the memory, in bytes, that the frozen layers' output may
// take; a larger set computes it anew in every step.
const frozenCacheLimit = 1 << 30

// frozenCache keeps the output of the frozen layers for every text, so that they
// run once instead of in every epoch.
type frozenCache struct {
	hidden int
	data   []float32
	spans  map[cachedText]span
}

// cachedText is a text as a program sees it.
type cachedText struct {
	example         int
	alt, validation bool
}

type span struct{ from, to int }

// outputs gives the cached output for an example, [tokens,hidden].
func (c *frozenCache) outputs(validation bool) func(example int, alt bool) []float32 {
	return func(example int, alt bool) []float32 {
		s := c.spans[cachedText{example, alt, validation}]
		return c.data[s.from:s.to]
	}
}

// fillFrozenCache runs the frozen layers over all texts once, if their output fits.
func (t *Trainer) fillFrozenCache(ctx context.Context) error {
	if !t.frozenBelow() || t.cache != nil || t.wordDropout != nil { // hidden words differ from epoch to epoch
		return nil
	}
	hidden := t.model.Spec.Encoder.HiddenSize
	tokens := 0
	for _, set := range [][]Example{t.train, t.val} {
		for _, e := range set {
			tokens += len(e.IDs) + len(e.Alt)
		}
	}
	if 4*tokens*hidden > frozenCacheLimit {
		return nil
	}
	b := &frozenCache{hidden: hidden, data: make([]float32, 0, tokens*hidden), spans: map[cachedText]span{}}
	for _, set := range []struct {
		examples   []Example
		alt        bool
		validation bool
	}{{t.train, false, false}, {t.train, true, false}, {t.val, false, true}} {
		lengths := make([]int, len(set.examples))
		for i, e := range set.examples {
			if lengths[i] = len(e.IDs); set.alt {
				lengths[i] = len(e.Alt)
			}
		}
		for _, batch := range t.packing.batches(lengths, t.shapes) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.cacheBatch(b, batch, set.examples, lengths, set.alt, set.validation); err != nil {
				return err
			}
		}
	}
	return device.Guard("free the frozen layers", func() error {
		for _, s := range t.shapes {
			if g := t.programs[program{frozenProgram, s}]; g != nil {
				g.Finalize()
				delete(t.programs, program{frozenProgram, s})
			}
		}
		var kept []*tensors.Tensor
		for i, p := range t.frozen {
			if p.Constant {
				kept = append(kept, t.frozenDev[i])
			} else {
				finalize(t.frozenDev[i : i+1])
			}
		}
		t.frozenDev, t.cache = kept, b
		return nil
	})
}

// cacheBatch puts the frozen layers' output for a batch into b.
func (t *Trainer) cacheBatch(b *frozenCache, in batch, examples []Example, lengths []int, alt, validation bool) error {
	s := t.shapes[in.bucket]
	a := t.collator(examples, func(int) bool { return alt }, validation).collate(s, in.rows)
	return device.Guard("run the frozen layers", func() error {
		var feed []*tensors.Tensor
		for _, v := range [][]int32{a.ids, a.types, a.positions, a.owner} {
			feed = append(feed, tensors.FromFlatDataAndDimensions(v, s.Rows, s.Length))
		}
		defer finalize(feed)
		out, err := t.run(program{frozenProgram, s}, nil, append(t.frozenDev[:len(t.frozenDev):len(t.frozenDev)], feed...))
		if err != nil {
			return err
		}
		defer finalize(out)
		states := tensors.MustCopyFlatData[float32](out[0])
		for text, i := range slices.Concat(in.rows...) {
			first, from := int(a.first[text]), len(b.data)
			b.data = append(b.data, states[first*b.hidden:(first+lengths[i])*b.hidden]...)
			b.spans[cachedText{i, alt, validation}] = span{from, len(b.data)}
		}
		return nil
	})
}

func (t *Trainer) frozenGraph(g *Graph, s Shape) []*Node {
	nodes := map[string]*Node{}
	for _, p := range t.frozen {
		nodes[p.Name] = Parameter(g, "f."+p.Name, p.ParamShape())
	}
	params := func(name string) *Node { return nodes[name] }
	ints := func(name string) *Node { return Parameter(g, name, gshapes.Make(dtypes.Int32, s.Rows, s.Length)) }
	in := bert.Packed{IDs: ints("ids"), Types: ints("types"), Positions: ints("positions"), Owner: ints("owner")}
	return []*Node{t.model.Spec.Bottom(params, in, t.o.FreezeLayers, &bert.Mode{Half: t.o.Half})}
}
