package train

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// Shape is the static shape of a program: rows and padded tokens per row.
type Shape struct{ Rows, Length int }

// batch is the examples of one step, by index, in the shape that holds them.
type batch struct {
	shape Shape
	rows  []int
}

// lengthStep is the grain of padded lengths.
const lengthStep = 8

// chooseLengths picks at most limit padded lengths for texts of the given
// lengths so that the least tokens are padding; each further length must save
// more tokens per pass than cost, which stands for the time to compile it.
func chooseLengths(lengths []int, limit, cost int) []int {
	if len(lengths) == 0 {
		return nil
	}
	most := slices.Max(lengths)
	steps := (most + lengthStep - 1) / lengthStep
	count := make([]int, steps+1) // texts that need exactly i steps
	for _, n := range lengths {
		count[max((n+lengthStep-1)/lengthStep, 1)]++
	}
	before := make([]int, steps+1) // texts of at most i steps
	for i := 1; i <= steps; i++ {
		before[i] = before[i-1] + count[i]
	}
	// best[k][i]: least padded tokens for texts of at most i steps with k
	// lengths, the largest being i.
	const infinite = 1 << 60
	best := make([][]int, limit+1)
	from := make([][]int, limit+1)
	for k := range best {
		best[k], from[k] = make([]int, steps+1), make([]int, steps+1)
		for i := range best[k] {
			best[k][i] = infinite
		}
	}
	best[0][0] = 0
	for k := 1; k <= limit; k++ {
		for i := 1; i <= steps; i++ {
			for j := range i {
				if best[k-1][j] == infinite {
					continue
				}
				if c := best[k-1][j] + (before[i]-before[j])*i*lengthStep + cost; c < best[k][i] {
					best[k][i], from[k][i] = c, j
				}
			}
		}
	}
	k := 1
	for n := 2; n <= limit; n++ {
		if best[n][steps] < best[k][steps] {
			k = n
		}
	}
	var out []int
	for i := steps; k > 0; k-- {
		out = append(out, i*lengthStep)
		i = from[k][i]
	}
	slices.Reverse(out)
	return out
}

// shapes gives each padded length its rows: as many as the token budget
// allows, never more than the batch size or the rows there are.
func shapes(lengths []int, o Options, rows int) []Shape {
	out := make([]Shape, len(lengths))
	for i, l := range lengths {
		out[i] = Shape{Rows: max(min(o.BatchTokens/l, o.BatchSize, rows), 1), Length: l}
	}
	return out
}

// plan cuts examples into batches. What does not fill a batch of its length
// moves up to the next one, so that only the last batch is short. With a
// generator the order inside and of the batches is shuffled.
func plan(lengths []int, all []Shape, rng *rand.Rand) []batch {
	order := make([]int, len(lengths))
	for i := range order {
		order[i] = i
	}
	if rng != nil {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	} else {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lengths[a], lengths[b]) })
	}
	pools := make([][]int, len(all))
	for _, i := range order {
		at := slices.IndexFunc(all, func(s Shape) bool { return lengths[i] <= s.Length })
		if at < 0 {
			at = len(all) - 1
		}
		pools[at] = append(pools[at], i)
	}
	var out []batch
	for k, s := range all {
		pool := pools[k]
		for len(pool) >= s.Rows || k == len(all)-1 && len(pool) > 0 {
			n := min(s.Rows, len(pool))
			out = append(out, batch{s, pool[:n]})
			pool = pool[n:]
		}
		if k < len(all)-1 {
			pools[k+1] = append(pool, pools[k+1]...)
		}
	}
	if rng != nil {
		rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

// arrays lays a batch out as the program takes it.
type arrays struct {
	ids, types, mask []int32
	score, weight    []float32
	tag              []int32
	rows             float32 // real ones
	tokens           int     // real ones
}

func layOut(examples []Example, b batch, categories int, vocab func(int32) int32, alt func(example int) bool) arrays {
	n := b.shape.Rows * b.shape.Length
	a := arrays{
		ids: make([]int32, n), types: make([]int32, n), mask: make([]int32, n),
		score: make([]float32, b.shape.Rows*categories), weight: make([]float32, b.shape.Rows*categories),
		tag: make([]int32, b.shape.Rows*categories), rows: float32(len(b.rows)),
	}
	for i := range a.ids {
		a.ids[i] = vocab(0)
	}
	for r, i := range b.rows {
		e := examples[i]
		ids, types := e.IDs, e.Types
		if e.Alt != nil && alt(i) {
			ids, types = e.Alt, e.AltTypes
		}
		ids = ids[:min(len(ids), b.shape.Length)]
		for j, id := range ids {
			at := r*b.shape.Length + j
			a.ids[at], a.mask[at] = vocab(id), 1
			if j < len(types) {
				a.types[at] = types[j]
			}
		}
		a.tokens += len(ids)
		copy(a.score[r*categories:], e.Score)
		copy(a.weight[r*categories:], e.Weight)
		copy(a.tag[r*categories:], e.Tag)
	}
	for r := len(b.rows); r < b.shape.Rows; r++ {
		a.mask[r*b.shape.Length] = 1 // no empty softmax; weight 0 keeps it out of the loss
	}
	return a
}
